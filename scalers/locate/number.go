package locate

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

var (
	decimal = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$`)
	// quantity bounds the digits and the exponent: some texts that a quantity may
	// be, such as 1.5e-2147483647, take the parser hours and all memory.
	quantity = regexp.MustCompile(`^[+-]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d{1,2})?$`)
)

// Number reads text that is a decimal number and nothing else, but for blanks
// around it. Errors say what the text is instead and do not quote it.
func Number(text string) (float64, error) {
	text = strings.TrimSpace(text)
	if !decimal.MatchString(text) {
		return 0, errors.New("text that is not a decimal number such as 12.5")
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !finite(n) {
		return 0, errors.New("a number that is too large")
	}
	return n, nil
}

// Quantity reads text that is a quantity of Kubernetes, such as 500m or 2Gi, as
// [Number] does. Texts that are hostile to the parser are none.
func Quantity(text string) (resource.Quantity, error) {
	text = strings.TrimSpace(text)
	if !quantity.MatchString(text) {
		return resource.Quantity{}, errors.New("text that is not a quantity such as 500m or 2Gi")
	}
	q, err := resource.ParseQuantity(text)
	if err != nil || !finite(q.AsApproximateFloat64()) {
		return resource.Quantity{}, errors.New("text that is not a quantity such as 500m or 2Gi")
	}
	return q, nil
}

// Text reads text that is a decimal number or a quantity.
func Text(text string) (float64, error) {
	if n, err := Number(text); err == nil {
		return n, nil
	}
	q, err := Quantity(text)
	if err != nil {
		return 0, errors.New("text that is neither a number nor a quantity such as 500m or 2Gi")
	}
	return q.AsApproximateFloat64(), nil
}

func finite(n float64) bool { return !math.IsNaN(n) && !math.IsInf(n, 0) }
