package conn

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/freshet-io/freshet/scalers/param"
)

// Modes of authentication over HTTP.
const (
	APIKey  = "apiKey"
	Basic   = "basic"
	ByTLS   = "tls"
	ByOAuth = "oauth"
	Bearer  = "bearer"
	Custom  = "custom"
)

// HTTPAuth says as whom to speak HTTP. Parameters of modes that are not named in
// authModes have no effect, but for those that say whom to trust.
type HTTPAuth struct {
	// How to authenticate: any of apiKey, basic, bearer, custom, tls and oauth,
	// separated by commas. Of basic, bearer and oauth only one may be given.
	Modes []string `param:"authModes|authMode,optional" from:"metadata,auth" enum:"apiKey,basic,tls,bearer,custom,oauth" oneof:"bearer,basic,oauth"`
	// Token of mode bearer.
	BearerToken param.Secret `param:"bearerToken|token,optional" from:"auth"`
	// User name of mode basic.
	Username string `param:"username,optional" from:"auth"`
	// Password of mode basic; it may be empty.
	Password param.Secret `param:"password,optional" from:"auth"`
	// Key of mode apiKey.
	APIKey param.Secret `param:"apiKey,optional" from:"metadata,auth"`
	// Where mode apiKey puts the key: header or query.
	Method string `param:"method" from:"metadata,auth" default:"header" enum:"header,query"`
	// Name of the header or query parameter of mode apiKey. Without it they are
	// X-API-KEY and api_key.
	KeyParamName string `param:"keyParamName,optional" from:"metadata,auth"`
	// Name of the header of mode custom.
	CustomHeader string `param:"customAuthHeader,optional" from:"auth"`
	// Value of the header of mode custom.
	CustomValue param.Secret `param:"customAuthValue,optional" from:"auth"`
	// Client of mode oauth.
	OAuth OAuth
	// Authorities to trust, client certificate of mode tls, and checks.
	TLS TLS
}

// has tells whether the mode is on.
func (a HTTPAuth) has(mode string) bool { return slices.Contains(a.Modes, mode) }

// UsesAuthorization tells whether a mode says who asks in the header
// Authorization, which then is free for nothing else.
func (a HTTPAuth) UsesAuthorization() bool { return a.has(Bearer) || a.has(Basic) || a.has(ByOAuth) }

// Validate checks what each mode needs.
func (a HTTPAuth) Validate() error {
	var faults []error
	needs := func(mode, key string, missing bool) {
		if a.has(mode) && missing {
			faults = append(faults, fmt.Errorf("parameter %s is missing: authModes names %s", key, mode))
		}
	}
	needs(Bearer, "bearerToken", a.BearerToken.Empty())
	needs(Basic, "username", a.Username == "")
	needs(APIKey, "apiKey", a.APIKey.Empty())
	needs(Custom, "customAuthHeader", a.CustomHeader == "")
	needs(Custom, "customAuthValue", a.CustomValue.Empty())
	needs(ByTLS, "cert", a.TLS.Cert == "")
	needs(ByTLS, "key", a.TLS.Key.Empty())
	if a.has(ByOAuth) {
		faults = append(faults, a.OAuth.Validate(a.has(ByTLS)))
	}
	used := a.used()
	faults = append(faults, validHeader("customAuthHeader", used.CustomHeader, used.CustomValue.Reveal()),
		validHeader("bearerToken", "-", used.BearerToken.Reveal()))
	if used.Method == "header" {
		faults = append(faults, validHeader("keyParamName or apiKey", used.KeyParamName, used.APIKey.Reveal()))
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	_, err := used.TLS.Config()
	return err
}

var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// validHeader checks what a header holds without telling its value, which may
// be a secret. The empty name is that of a header that is not used.
func validHeader(key, name, value string) error {
	switch {
	case name == "":
		return nil
	case !headerName.MatchString(name):
		return fmt.Errorf("parameter %s gives a header the name %q, which no header can have", key, name)
	case strings.ContainsFunc(value, func(r rune) bool { return r != '\t' && r < ' ' || r == 0x7f }):
		return fmt.Errorf("parameter %s gives a header a value with a line break or another control character", key)
	default:
		return nil
	}
}

// ValidHeaders checks the headers that a parameter gives.
func ValidHeaders(key string, headers map[string]string) error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if name == "" {
			name = " "
		}
		faults = append(faults, validHeader(key, name, headers[name]))
	}
	return errors.Join(faults...)
}

// used is a with only what has an effect, so that what has none makes no other
// connection.
func (a HTTPAuth) used() HTTPAuth {
	u := HTTPAuth{Modes: slices.Compact(slices.Sorted(slices.Values(a.Modes)))}
	u.TLS.CA, u.TLS.UnsafeSSL = a.TLS.CA, a.TLS.UnsafeSSL
	if a.has(Bearer) {
		u.BearerToken = a.BearerToken
	}
	if a.has(Basic) {
		u.Username, u.Password = a.Username, a.Password
	}
	if a.has(APIKey) {
		u.APIKey, u.Method, u.KeyParamName = a.APIKey, a.Method, a.KeyParamName
		switch {
		case u.KeyParamName != "":
		case u.Method == "query":
			u.KeyParamName = "api_key"
		default:
			u.KeyParamName = "X-API-KEY"
		}
	}
	if a.has(Custom) {
		u.CustomHeader, u.CustomValue = a.CustomHeader, a.CustomValue
	}
	if a.has(ByOAuth) {
		u.OAuth = a.OAuth
	}
	if a.has(ByTLS) {
		u.TLS = a.TLS
	}
	return u
}

// apply puts the credentials into the request, but for those that are the
// connection's: client certificates, access tokens and identities.
func (a HTTPAuth) apply(r *http.Request) {
	u := a.used()
	if u.has(Bearer) {
		r.Header.Set("Authorization", "Bearer "+u.BearerToken.Reveal())
	}
	if u.has(Basic) {
		r.SetBasicAuth(u.Username, u.Password.Reveal())
	}
	if u.has(APIKey) && u.Method == "query" {
		query := r.URL.Query()
		query.Set(u.KeyParamName, u.APIKey.Reveal())
		r.URL.RawQuery = query.Encode()
	} else if u.has(APIKey) {
		r.Header.Set(u.KeyParamName, u.APIKey.Reveal())
	}
	if u.has(Custom) {
		r.Header.Set(u.CustomHeader, u.CustomValue.Reveal())
	}
}
