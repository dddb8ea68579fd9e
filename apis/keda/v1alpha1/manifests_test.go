package v1alpha1

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// TestManifests decodes manifests as users write them. A field that the types do not know, or that is there twice,
// fails; so does a fault that the object itself shows.
func TestManifests(t *testing.T) {
	decoder := strictDecoder(t)
	for name, documents := range manifests(t) {
		t.Run(name, func(t *testing.T) {
			for _, document := range documents {
				object, _, err := decoder.Decode(document, nil, nil)
				if err != nil {
					t.Errorf("decoding: %v", err)
					continue
				}
				checked, ok := object.(interface {
					metav1.Object
					Validate() field.ErrorList
				})
				if !ok {
					t.Errorf("%T has no Validate", object)
					continue
				}
				for _, fault := range checked.Validate() {
					t.Errorf("%s: %v", checked.GetName(), fault)
				}
				roundTrip(t, document, object)
			}
		})
	}
}

// TestManifestsSetEveryField keeps the manifests complete: together they set each field that there is. The identity of a
// single vault has the fields of the one for all triggers, which stand for both.
func TestManifestsSetEveryField(t *testing.T) {
	identity := regexp.MustCompile(`^spec\.\w+\.podIdentity\.`)
	set := map[string]bool{}
	for _, documents := range manifests(t) {
		for _, document := range documents {
			content := map[string]any{}
			if err := yaml.Unmarshal(document, &content); err != nil {
				t.Fatal(err)
			}
			kind := strings.TrimPrefix(content["kind"].(string), "Cluster")
			markSet(set, kind+" spec", content["spec"])
			markSet(set, kind+" status", content["status"])
		}
	}
	promised := readFields(t)
	for _, kind := range []string{KindScaledObject, KindScaledJob, KindTriggerAuthentication} {
		for _, line := range promised[kind] {
			path, _, _ := strings.Cut(line, " ")
			switch {
			case !strings.HasPrefix(path, "spec") && !strings.HasPrefix(path, "status"):
			case strings.HasSuffix(path, ".lastTransitionTime"), strings.HasSuffix(path, ".observedGeneration"):
				// Only Freshet writes these.
			case kind == KindScaledJob && path == "spec.triggers[].metricType":
				// Refused in a ScaledJob.
			case set[kind+" "+path]:
			case identity.MatchString(path) && set[kind+" "+identity.ReplaceAllString(path, "spec.podIdentity.")]:
			default:
				t.Errorf("no manifest sets %s of a %s", path, kind)
			}
		}
	}
}

// TestDecodingIsStrict makes sure that the decoder of these tests does find what it is to find.
func TestDecodingIsStrict(t *testing.T) {
	const manifest = `{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "spec": {"minReplicas": 1}}`
	if _, _, err := strictDecoder(t).Decode([]byte(manifest), nil, nil); !runtime.IsStrictDecodingError(err) {
		t.Errorf("decoding a manifest with an unknown field gives %v, want a strict decoding error", err)
	}
}

func strictDecoder(t *testing.T) runtime.Decoder {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
}

// manifests reads testdata/manifests into the documents of each file.
func manifests(t *testing.T) map[string][][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "manifests", "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("found no manifests: %v", err)
	}
	files := map[string][][]byte{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		reader := utilyaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text)))
		buffer := make([]byte, len(text))
		for {
			n, err := reader.Read(buffer)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("reading %s: %v", path, err)
			}
			files[filepath.Base(path)] = append(files[filepath.Base(path)], bytes.Clone(buffer[:n]))
		}
	}
	return files
}

// roundTrip holds an object to saying, once encoded again, what its document said: nothing lost, nothing added but what
// Kubernetes' own types always write.
func roundTrip(t *testing.T, document []byte, object runtime.Object) {
	t.Helper()
	written, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	var want, have map[string]any
	if err := errors.Join(yaml.Unmarshal(document, &want), yaml.Unmarshal(written, &have)); err != nil {
		t.Fatal(err)
	}
	for _, content := range []map[string]any{want, have} {
		dropZero(content)
	}
	if diff := gocmp.Diff(want, have); diff != "" {
		t.Errorf("encoding what was decoded (-document +encoded):\n%s", diff)
	}
}

// dropZero takes out what is as good as absent: empty values, zeros that need no pointer, and empty text.
func dropZero(content any) bool {
	switch content := content.(type) {
	case map[string]any:
		for key, value := range content {
			if dropZero(value) {
				delete(content, key)
			}
		}
		return len(content) == 0
	case []any:
		for _, entry := range content {
			dropZero(entry)
		}
		return len(content) == 0
	case string:
		return content == ""
	case bool:
		return !content
	}
	return content == nil
}

// markSet notes the path of every field that a value has. In a map of free keys the keys stand as {}.
func markSet(set map[string]bool, path string, value any) {
	switch value := value.(type) {
	case nil:
		return
	case map[string]any:
		free := strings.HasSuffix(path, ".health") || strings.HasSuffix(path, ".triggersActivity")
		for key, entry := range value {
			if free {
				markSet(set, path+"{}", entry)
			} else {
				markSet(set, path+"."+key, entry)
			}
		}
	case []any:
		for _, entry := range value {
			markSet(set, path+"[]", entry)
		}
	}
	set[path] = true
}
