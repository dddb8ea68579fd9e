package store

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// taken is what frames made of what a server sent.
type taken struct {
	answers string
	told    []string
	err     error
}

// take sends text in parts of a size.
func take(f *redisFrames, text string, size int) (got taken) {
	var answers []byte
	for len(text) > 0 && got.err == nil {
		n := min(size, len(text))
		answers, got.err = f.take(answers, []byte(text[:n]), func(words [][]byte) {
			got.told = append(got.told, string(bytes.Join(words, []byte(" "))))
		})
		text = text[n:]
	}
	got.answers = string(answers)
	return got
}

// frames are those of a connection that was asked once.
func frames() *redisFrames {
	f := &redisFrames{}
	f.asked()
	return f
}

func TestFramesPassWhatKeepsToItsBounds(t *testing.T) {
	good := map[string]string{
		"scalars":        ":1\r\n+OK\r\n-ERR no\r\n_\r\n#t\r\n,1.5\r\n(12345678901234567890\r\n",
		"texts":          "$5\r\nhe\r\no\r\n$0\r\n\r\n$-1\r\n=7\r\ntxt:abc\r\n!3\r\nERR\r\n",
		"lists":          "*2\r\n*0\r\n*-1\r\n~1\r\n:1\r\n%1\r\n+a\r\n*1\r\n$1\r\n*\r\n",
		"text like list": "$15\r\n*999999999999\r\n\r\n:1\r\n",
		"long":           "$100000\r\n" + strings.Repeat("*9999999", 12_500) + "\r\n*10000\r\n" + strings.Repeat(":1\r\n", 10_000),
		"deep":           strings.Repeat("*1\r\n", maxDepth) + ":1\r\n" + strings.Repeat("*1\r\n", maxDepth) + ":1\r\n",
		"garbage":        "HTTP/1.1 400 Bad Request\r\n\r\n<html>*99999999999</html>\r\n",
	}
	bad := map[string]string{
		"text":      "$67108865\r\n",
		"number":    ":1\r\n$9223372036854775807\r\n",
		"beyond":    "$99999999999999999999\r\n",
		"list":      "*3000000\r\n",
		"map":       "%1100000\r\n",
		"lists":     "*1100000\r\n*1100000\r\n",
		"depth":     strings.Repeat("*1\r\n", maxDepth+1) + ":1\r\n",
		"line":      strings.Repeat("a", maxLine+1),
		"long line": "+" + strings.Repeat("a", maxLine) + "\r\n",
	}
	for _, size := range []int{1, 2, 7, 4096} {
		for name, text := range good {
			got := take(frames(), text, size)
			if got.err != nil || got.answers != text || got.told != nil {
				t.Errorf("%s in parts of %d: got %d of %d bytes, %v, told %q", name, size, len(got.answers), len(text), got.err, got.told)
			}
		}
		for name, text := range bad {
			if got := take(frames(), text, size); got.err == nil {
				t.Errorf("%s in parts of %d: got all %d bytes", name, size, len(got.answers))
			}
		}
	}
}

// What is told stands between answers, and is not taken for one.
func TestFramesTakeOutWhatIsTold(t *testing.T) {
	for name, tc := range map[string]struct {
		sent, answers string
		told          []string
	}{
		"a key":       {":1\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\na\r\n\r\n:2\r\n", ":1\r\n:2\r\n", []string{"invalidate a\r\n"}},
		"two keys":    {">2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\na\r\n$0\r\n\r\n", "", []string{"invalidate a "}},
		"everything":  {">2\r\n$10\r\ninvalidate\r\n_\r\n+OK\r\n", "+OK\r\n", []string{"invalidate"}},
		"short texts": {">2\r\n+message\r\n+x\r\n>1\r\n+y\r\n", "", []string{"message x", "y"}},
		"nothing":     {">0\r\n:3\r\n", ":3\r\n", []string{""}},
		"in a list":   {"*2\r\n>1\r\n+a\r\n:1\r\n", "*2\r\n>1\r\n+a\r\n:1\r\n", nil},
		"in a text":   {"$4\r\n>2\r\n\r\n", "$4\r\n>2\r\n\r\n", nil},
	} {
		for _, size := range []int{1, 3, 4096} {
			got := take(frames(), tc.sent, size)
			if got.err != nil || got.answers != tc.answers || !slices.Equal(got.told, tc.told) {
				t.Errorf("%s in parts of %d: got %+v", name, size, got)
			}
		}
	}
}

// What is told does not use up what may be answered, and is bounded itself.
func TestFramesBoundWhatIsTold(t *testing.T) {
	f := frames()
	key := ">2\r\n$10\r\ninvalidate\r\n*1\r\n$100000\r\n" + strings.Repeat("k", 100_000) + "\r\n"
	for range 2 * maxAnswer / len(key) {
		if got := take(f, key, 4096); got.err != nil || len(got.told) != 1 {
			t.Fatal(got.err)
		}
	}
	for _, sent := range []string{">1\r\n$2000000\r\n", ">40000\r\n", ">2\r\n$1000000\r\n" + strings.Repeat("a", 1_000_000) + "\r\n$100000\r\n"} {
		if got := take(frames(), sent, 4096); got.err == nil {
			t.Errorf("%.20q was taken", sent)
		}
	}
}

// A connection is not used up by what it read before.
func TestFramesBoundEachRequest(t *testing.T) {
	answer := "$40000000\r\n" + strings.Repeat("a", 40_000_000) + "\r\n"
	f := &redisFrames{}
	for _, asked := range []bool{true, true, false} {
		if asked {
			f.asked()
		}
		if got := take(f, answer, 1<<20); (got.err == nil) != asked {
			t.Errorf("asked for %v: %v", asked, got.err)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add("*2\r\n$1\r\na\r\n:1\r\n", 3)
	f.Add(">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n:1\r\n", 5)
	f.Fuzz(func(t *testing.T, text string, size int) {
		if size < 1 {
			return
		}
		whole, parts := take(frames(), text, len(text)+1), take(frames(), text, size)
		if whole.err == nil && (whole.answers != parts.answers || !slices.Equal(whole.told, parts.told)) || (whole.err == nil) != (parts.err == nil) {
			t.Errorf("%q is %+v as a whole and %+v in parts of %d", text, whole, parts, size)
		}
		if !strings.Contains(text, ">") && whole.err == nil && whole.answers != text {
			t.Errorf("%q is read as %q", text, whole.answers)
		}
	})
}
