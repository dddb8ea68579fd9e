package auth

import (
	"fmt"
	"io"
	"net/http"
)

// LimitBody is a transport whose answers are at most that many bytes long: the
// addresses of stores are given by users.
func LimitBody(t http.RoundTripper, most int64) http.RoundTripper { return limited{t, most} }

type limited struct {
	http.RoundTripper
	most int64
}

// RoundTrip lets reading fail beyond the limit.
func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.RoundTripper.RoundTrip(r)
	if err == nil {
		response.Body = &limitedBody{ReadCloser: response.Body, left: l.most}
	}
	return response, err //nolint:wrapcheck // a transport hands on
}

type limitedBody struct {
	io.ReadCloser
	left int64
}

// Read reads up to the limit.
func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, fmt.Errorf("the answer is too long")
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err //nolint:wrapcheck // as above
}
