package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
)

func init() {
	conn.RegisterSigner(conn.AWS, func(c conn.SignerConfig) (conn.Signer, error) {
		keys := Keys{ID: c.AWS.AccessKeyID, Secret: c.AWS.SecretAccessKey, Session: c.AWS.SessionToken}
		cfg, err := Config(context.Background(), c.Identity, c.AWS.Region, keys)
		if err != nil {
			return nil, err
		}
		return &signer{credentials: cfg.Credentials, region: cfg.Region, service: c.AWS.Service, v4: v4.NewSigner()}, nil
	})
}

// signer signs requests by Signature Version 4.
type signer struct {
	credentials     sdk.CredentialsProvider
	region, service string
	v4              *v4.Signer
}

// Retrieve fetches what it signs with, for protocols that are not HTTP: a signer of
// AWS is a provider of credentials too.
func (s *signer) Retrieve(ctx context.Context) (sdk.Credentials, error) {
	credentials, err := s.credentials.Retrieve(ctx)
	if err != nil {
		return credentials, Explain("fetching credentials", err)
	}
	return credentials, nil
}

// Sign signs the request with its body.
func (s *signer) Sign(ctx context.Context, r *http.Request) error {
	credentials, err := s.Retrieve(ctx)
	if err != nil {
		return err
	}
	hash := sha256.New()
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return scalers.UnavailableError("signing a request to %s: its body cannot be read twice", r.URL.Host)
		}
		defer func() { _ = body.Close() }()
		if _, err := io.Copy(hash, body); err != nil {
			return scalers.UnavailableError("signing a request to %s: its body cannot be read twice", r.URL.Host)
		}
	}
	if err := s.v4.SignHTTP(ctx, credentials, r, hex.EncodeToString(hash.Sum(nil)), s.service, s.region, scalers.Now(ctx)); err != nil {
		return scalers.ConfigurationError("a request to %s cannot be signed", r.URL.Host)
	}
	return nil
}
