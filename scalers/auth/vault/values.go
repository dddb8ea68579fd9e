package vault

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// dataOf finds the values in what the engine answers.
func dataOf(secret *vaultapi.Secret, path string, kind kedav1alpha1.VaultSecretType) (map[string]any, error) {
	versioned := kind == kedav1alpha1.VaultSecretTypeSecretV2
	if kind == kedav1alpha1.VaultSecretTypeGeneric {
		metadata, _ := secret.Data["metadata"].(map[string]any)
		_, hasVersion := metadata["version"]
		_, hasData := secret.Data["data"]
		versioned = hasVersion && hasData
	}
	if !versioned {
		return secret.Data, nil
	}
	data, ok := secret.Data["data"]
	values, isMap := data.(map[string]any)
	switch {
	case ok && data == nil:
		return nil, scalers.ConfigurationError("the version of the secret at the path %q was deleted", path)
	case !isMap:
		return nil, scalers.ConfigurationError("hashiCorpVault.secrets has the type secretV2 for the path %q, which is not of KV version 2: "+
			"correct type or path", path)
	}
	return values, nil
}

// texts are values as parameters take them: a list of texts is one of lines, as
// ca_chain wants, and what else is not a text is JSON. What is null is not there.
func texts(data map[string]any) map[string]param.Secret {
	values := map[string]param.Secret{}
	for key, value := range data {
		switch value := value.(type) {
		case nil:
		case string:
			values[key] = param.NewSecret(value)
		default:
			text, err := json.Marshal(value)
			if err != nil {
				continue // it came from JSON
			}
			if lines, ok := linesOf(value); ok {
				text = []byte(lines)
			}
			values[key] = param.NewSecret(string(text))
		}
	}
	return values
}

func linesOf(value any) (string, bool) {
	list, ok := value.([]any)
	lines := make([]string, len(list))
	for i := range list {
		text, isText := list[i].(string)
		lines[i], ok = text, ok && isText
	}
	return strings.Join(lines, "\n"), ok
}

// expiration is when a certificate ends.
func expiration(secret *vaultapi.Secret) (time.Time, bool) {
	n, ok := secret.Data["expiration"].(json.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(n.String(), 10, 64)
	return time.Unix(seconds, 0), err == nil && seconds > 0
}

// pkiBody asks for a certificate.
func pkiBody(pki kedav1alpha1.VaultPkiData) map[string]any {
	body := map[string]any{}
	for key, value := range map[string]string{
		"common_name": pki.CommonName, "alt_names": pki.AltNames, "ip_sans": pki.IPSans, "uri_sans": pki.URISans,
		"other_sans": pki.OtherSans, "ttl": pki.TTL, "format": pki.Format,
	} {
		if value != "" {
			body[key] = value
		}
	}
	return body
}
