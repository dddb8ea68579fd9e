package observe

import (
	"bytes"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// inMetrics reads the first sample that the selector matches. Every line counts
// by the name it has, so that the _sum, _count and _bucket of a histogram do too.
func (p place) inMetrics() (float64, error) {
	s, err := parseSelector(p.location)
	if err != nil {
		return 0, p.missing() // Validate told
	}
	lines := s.lines(p.answer.Body)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(lines))
	if err != nil {
		return 0, wrongContent(p.answer, "the text format of Prometheus")
	}
	for _, sample := range families[s.name].GetMetric() {
		if s.matches(sample) {
			return sample.GetUntyped().GetValue(), nil
		}
	}
	return 0, p.missing()
}

// lines are those of samples that may be the selector's. Without the comments
// that tell their types all are samples of none.
func (s *selector) lines(body []byte) []byte {
	var kept bytes.Buffer
	for line := range bytes.Lines(body) {
		line = bytes.TrimLeft(line, " \t")
		rest, ours := bytes.CutPrefix(line, []byte(s.name))
		ours = ours && len(rest) > 0 && bytes.IndexByte([]byte("{ \t\r\n"), rest[0]) >= 0
		ours = ours || bytes.HasPrefix(line, []byte("{")) // which may have the name inside
		if !ours || !s.mayMatch(line) {
			continue
		}
		text, ended := bytes.CutSuffix(line, []byte("\n"))
		kept.Write(bytes.TrimSuffix(text, []byte("\r")))
		if ended {
			kept.WriteByte('\n')
		}
	}
	return kept.Bytes()
}

// mayMatch spares parsing lines that lack the value of a label.
func (s *selector) mayMatch(line []byte) bool {
	for _, m := range s.matchers {
		plain := m.pattern == nil && !m.negative && m.value != "" && !strings.ContainsAny(m.value, "\\\"\n")
		if plain && !bytes.Contains(line, []byte(`"`+m.value+`"`)) {
			return false
		}
	}
	return true
}

// matches tells whether all matchers hold for the sample. A label that is not
// there is empty.
func (s *selector) matches(sample *dto.Metric) bool {
	for _, m := range s.matchers {
		value := ""
		for _, pair := range sample.GetLabel() {
			if pair.GetName() == m.label {
				value = pair.GetValue()
			}
		}
		if !m.holds(value) {
			return false
		}
	}
	return true
}
