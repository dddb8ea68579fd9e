package ledger

// Digest tells decisions apart. It is made of their parts without allocating:
//
//	ledger.NewDigest().Text(outcome).Number(replicas)
type Digest uint64

// The numbers of FNV-1a.
const (
	offset = 14695981039346656037
	prime  = 1099511628211
)

// NewDigest is that of nothing.
func NewDigest() Digest { return offset }

// Text adds a text.
func (d Digest) Text(text string) Digest {
	for i := range len(text) {
		d = (d ^ Digest(text[i])) * prime
	}
	return (d ^ 0xff) * prime // "a", "bc" is not "ab", "c"
}

// Texts adds a list of texts.
func (d Digest) Texts(texts []string) Digest {
	for _, text := range texts {
		d = d.Text(text)
	}
	return d.Number(int64(len(texts)))
}

// Number adds a number.
func (d Digest) Number(n int64) Digest {
	for range 8 {
		d = (d ^ Digest(n&0xff)) * prime
		n >>= 8
	}
	return d
}
