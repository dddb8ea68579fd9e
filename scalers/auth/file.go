package auth

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// mostFile is the largest file that is read, in bytes.
const mostFile = 1 << 20

// readFile takes all parameters from a JSON file under the resolver's folder.
func readFile(ctx context.Context, q *Request) error {
	root, path := q.resolver.FileRoot, q.Spec.FilePath
	switch {
	case !q.cluster:
		return scalers.ConfigurationError("filePath is only read in a ClusterTriggerAuthentication: use that kind, or remove filePath")
	case root == "":
		return scalers.ConfigurationError("filePath is set, and Freshet runs without --filepath-auth-root-path, the folder of such files")
	case !filepath.IsLocal(path):
		return scalers.ConfigurationError("filePath is %q: it must be relative to --filepath-auth-root-path, without ..", path)
	}
	answer, err := q.Ask(ctx, Question{
		Key: param.FingerprintOf("filePath", root, path),
		Ask: func(context.Context) (Answer, error) {
			values, err := parametersOf(root, path)
			return Answer{Values: values}, err
		},
	})
	for key, value := range answer.Values {
		q.Set(key, value.Reveal())
	}
	return err
}

// parametersOf reads a file that does not lead out of the folder. Errors hold
// nothing of what is in it.
func parametersOf(folder, path string) (map[string]param.Secret, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, scalers.ConfigurationError("opening the folder of --filepath-auth-root-path: %w", err)
	}
	defer func() { _ = root.Close() }()
	file, err := root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe does not keep us
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, scalers.ConfigurationError("filePath names %q, which does not exist under --filepath-auth-root-path", path)
	case err != nil:
		return nil, scalers.ConfigurationError("filePath names %q, which cannot be read: %w", path, err)
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, scalers.ConfigurationError("filePath names %q, which is not a file", path)
	}
	text, err := io.ReadAll(io.LimitReader(file, mostFile+1))
	switch {
	case err != nil:
		return nil, scalers.UnavailableError("reading the file %q of filePath: %w", path, err)
	case len(text) > mostFile:
		return nil, scalers.ConfigurationError("filePath names %q, which is longer than %d MiB", path, mostFile>>20)
	}
	var texts map[string]*string
	if json.Unmarshal(text, &texts) != nil || texts == nil { // the error would quote the file
		return nil, scalers.ConfigurationError("filePath names %q, which is not a JSON object of texts", path)
	}
	values := map[string]param.Secret{}
	for key, value := range texts {
		if value == nil {
			return nil, scalers.ConfigurationError("filePath names %q, in which %q is null: give it a text", path, key)
		}
		values[key] = param.NewSecret(*value)
	}
	return values, nil
}
