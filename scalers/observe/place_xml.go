package observe

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/freshet-io/freshet/scalers/locate"
)

// element is one of an XML document. The document itself is one without a name.
type element struct {
	name       string
	attributes []xml.Attr
	text       strings.Builder
	children   []*element
}

// inXML reads names of elements, numbers to tell apart those of one name, and an
// attribute at the end, joined with dots.
func (p place) inXML() (float64, error) {
	if err := p.short(); err != nil {
		return 0, err
	}
	document, err := parseXML(p.answer.Body)
	if err != nil {
		return 0, wrongContent(p.answer, "XML")
	}
	at := []*element{document}
	parts := locate.Split(p.location)
	for n, part := range parts {
		index, notIndex := strconv.Atoi(part)
		switch attribute := strings.TrimLeft(part, "@-"); {
		case notIndex == nil && index >= 0 && index < len(at):
			at = at[index : index+1]
			continue
		case notIndex == nil:
			return 0, p.missing()
		case len(at) > 1:
			return 0, p.several(at)
		case attribute != part:
			i := slices.IndexFunc(at[0].attributes, func(a xml.Attr) bool { return a.Name.Local == attribute })
			if i < 0 || n < len(parts)-1 {
				return 0, p.missing()
			}
			return p.parse(at[0].attributes[i].Value)
		}
		if at = at[0].named(part); len(at) == 0 {
			return 0, p.missing()
		}
	}
	switch {
	case len(at) > 1:
		return 0, p.several(at)
	case len(at[0].children) > 0:
		return 0, p.notNumber("elements")
	}
	return p.parse(at[0].text.String())
}

// several says that the place is not one element.
func (p place) several(at []*element) error {
	return p.notNumber(fmt.Sprintf("%d elements %s, of which a number in the path must choose one, as in %s.0,", len(at), at[0].name, at[0].name))
}

// named are the children of a name, whatever its namespace.
func (e *element) named(name string) []*element {
	var all []*element
	for _, child := range e.children {
		if child.name == name {
			all = append(all, child)
		}
	}
	return all
}

// mostDepth is how deep elements may be nested.
const mostDepth = 1000

// parseXML reads a document, which has one root and ends with it.
func parseXML(body []byte) (*element, error) {
	document := &element{}
	open := []*element{document}
	decoder := xml.NewDecoder(bytes.NewReader(body))
	decoder.CharsetReader = asciiReader
	for {
		token, err := decoder.Token()
		if err == io.EOF { //nolint:errorlint // as the package documents
			break
		}
		if err != nil {
			return nil, err //nolint:wrapcheck // the caller has its own words
		}
		inner := open[len(open)-1]
		switch t := token.(type) {
		case xml.StartElement:
			child := &element{name: t.Name.Local, attributes: t.Attr}
			inner.children = append(inner.children, child)
			if open = append(open, child); len(open) > mostDepth {
				return nil, fmt.Errorf("elements are nested more than %d deep", mostDepth)
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			inner.text.Write(t)
		}
	}
	if len(document.children) != 1 || strings.TrimSpace(strings.TrimPrefix(document.text.String(), string(byteOrderMark))) != "" {
		return nil, fmt.Errorf("the document has %d roots", len(document.children))
	}
	return document, nil
}

// asciiReader reads a document of a character set that has ASCII in it, as all
// have that are not Unicode: numbers are of ASCII, and so are the names of most
// elements. What is not becomes a question mark.
func asciiReader(_ string, input io.Reader) (io.Reader, error) {
	text, err := io.ReadAll(input)
	if err != nil {
		return nil, err //nolint:wrapcheck // of a reader of bytes
	}
	for i, b := range text {
		if b >= 0x80 {
			text[i] = '?'
		}
	}
	return bytes.NewReader(text), nil
}
