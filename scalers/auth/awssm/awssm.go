// Package awssm has authentications take parameters from AWS Secrets Manager. A
// program that imports it can.
package awssm

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/identity/aws"
	"github.com/freshet-io/freshet/scalers/param"
)

func init() { auth.RegisterSource("awsSecretManager", read) }

// read gives the request every parameter of its secrets.
func read(ctx context.Context, q *auth.Request) error {
	s, err := newStore(ctx, q)
	if err != nil {
		return err
	}
	for i := range q.Spec.AwsSecretManager.Secrets {
		secret := &q.Spec.AwsSecretManager.Secrets[i]
		answer, err := q.Ask(ctx, s.question(secret))
		if err != nil {
			return err
		}
		text := answer.Values["secret"].Reveal()
		if secret.SecretKey != "" {
			if text, err = member(text, secret); err != nil {
				return err
			}
		}
		q.Set(secret.Parameter, text)
	}
	return nil
}

// store is a Secrets Manager as one request sees it: its exported fields are part
// of the key of every question.
type store struct {
	Region   string
	Identity scalers.Identity
	Keys     aws.Keys
}

func newStore(ctx context.Context, q *auth.Request) (*store, error) {
	spec := q.Spec.AwsSecretManager
	s := &store{Region: spec.Region}
	var err error
	if s.Identity, err = q.Identity(ctx, spec.PodIdentity, "awsSecretManager.podIdentity"); err != nil {
		return nil, err
	}
	if s.Identity.Provider != "" && s.Identity.Provider != "aws" {
		return nil, scalers.ConfigurationError("awsSecretManager.podIdentity.provider is %q: use aws", s.Identity.Provider)
	}
	c := spec.Credentials
	switch {
	case s.Identity.Provider != "":
		return s, nil
	case c == nil:
		return nil, scalers.ConfigurationError("awsSecretManager has neither credentials nor podIdentity: give one of them")
	}
	id, err := q.Secret(ctx, c.AccessKey, "awsSecretManager.credentials.accessKey")
	if err != nil {
		return nil, err
	}
	s.Keys.ID = strings.TrimSpace(id.Reveal())
	if s.Keys.Secret, err = q.Secret(ctx, c.AccessSecretKey, "awsSecretManager.credentials.accessSecretKey"); err != nil {
		return nil, err
	}
	if s.Keys.ID == "" || s.Keys.Secret.Empty() {
		return nil, scalers.ConfigurationError("awsSecretManager.credentials is of an access key that is empty")
	}
	if c.AccessToken != nil {
		s.Keys.Session, err = q.Secret(ctx, *c.AccessToken, "awsSecretManager.credentials.accessToken")
	}
	return s, err
}

// question asks for a version of a secret, whatever is taken from it.
func (s *store) question(secret *kedav1alpha1.AwsSecretManagerSecret) auth.Question {
	input := &secretsmanager.GetSecretValueInput{SecretId: &secret.Name}
	if secret.VersionID != "" {
		input.VersionId = &secret.VersionID
	}
	if secret.VersionStage != "" {
		input.VersionStage = &secret.VersionStage
	}
	return auth.Question{
		Key:    param.FingerprintOf("awsSecretManager", s, secret.Name, secret.VersionID, secret.VersionStage),
		Server: strings.TrimSpace("AWS Secrets Manager " + s.Region),
		Ask: func(ctx context.Context) (auth.Answer, error) {
			cfg, err := aws.Config(ctx, s.Identity, s.Region, s.Keys)
			if err != nil {
				return auth.Answer{}, err
			}
			got, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, input)
			if err != nil {
				return auth.Answer{}, aws.Explain(fmt.Sprintf("reading secret %q", secret.Name), err)
			}
			value := string(got.SecretBinary)
			if got.SecretString != nil {
				value = *got.SecretString
			} else if got.SecretBinary == nil {
				return auth.Answer{}, scalers.UnavailableError("AWS Secrets Manager answers with secret %q without its value", secret.Name)
			}
			return auth.Answer{Values: map[string]param.Secret{"secret": param.NewSecret(value)}}, nil
		},
	}
}

// member takes the secret's key out of a secret that is a JSON object. Errors
// hold nothing of it.
func member(text string, secret *kedav1alpha1.AwsSecretManagerSecret) (string, error) {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &members) != nil || members == nil {
		return "", scalers.ConfigurationError("awsSecretManager names key %q of secret %q, which is not a JSON object", secret.SecretKey, secret.Name)
	}
	value, ok := members[secret.SecretKey]
	if !ok || string(value) == "null" {
		return "", scalers.ConfigurationError("awsSecretManager names key %q of secret %q, which has no such key", secret.SecretKey, secret.Name)
	}
	var unquoted string
	if json.Unmarshal(value, &unquoted) == nil {
		return unquoted, nil
	}
	return string(value), nil // a number, as it is written
}
