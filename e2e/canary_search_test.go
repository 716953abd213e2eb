package e2e_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// search looks for secrets in what it is shown, place by place, and for texts that are no secret and were put into the same
// deploys: a place where not even those are found was not searched.
type search struct {
	mark    string              // what each half of each secret begins with
	secrets map[string][][]byte // by name, in the forms that they may hide in
	marks   [][]byte            // forms of mark: what has none of them has no secret
	markers [][]byte
	buffer  []byte // of stream: one for each of thousands of files would take most of the time, under the race detector

	mu     sync.Mutex
	places map[string]*place
}

// place is where a secret could have got to.
type place struct {
	bytes   int64
	control bool // a marker was found
	hits    []string
}

func newSearch() *search {
	mark := rand.Text()[:12]
	return &search{mark: mark, marks: formsOf(mark), secrets: map[string][][]byte{}, places: map[string]*place{}, buffer: make([]byte, 4<<20)}
}

// secret makes a secret of two halves, to be looked for. What keeps only one of them has still leaked; between them are letters that
// JSON, URLs and shells write in their own ways.
func (s *search) secret(name, between string) string {
	halves := []string{s.mark + rand.Text()[:12], s.mark + rand.Text()[:12]}
	for _, half := range halves {
		s.secrets[name] = append(s.secrets[name], formsOf(half)...)
	}
	return halves[0] + between + halves[1]
}

// expect names a text that is no secret and has to be found.
func (s *search) expect(marker string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.markers = append(s.markers, formsOf(marker)...)
}

// formsOf returns a text as it is, and as it stands in base64 whatever stands before it, in hexadecimal, and in a URL that encodes all.
func formsOf(text string) [][]byte {
	lower := hex.EncodeToString([]byte(text))
	forms := []string{text, lower, strings.ToUpper(lower)}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			whole := strings.Repeat("x", before) + text
			whole = whole[:len(whole)/3*3]
			encoded := encoding.EncodeToString([]byte(whole))
			if before > 0 {
				encoded = encoded[4:] // the first three bytes share it with what stands before
			}
			forms = append(forms, encoded)
		}
	}
	var percent strings.Builder
	for i := 0; i < len(lower); i += 2 {
		percent.WriteString("%" + lower[i:i+2])
	}
	forms = append(forms, percent.String(), strings.ToUpper(percent.String()))
	slices.Sort(forms)
	var all [][]byte
	for _, form := range slices.Compact(forms) {
		all = append(all, []byte(form))
	}
	return all
}

// look searches data, which stands at a part of a place.
func (s *search) look(where, part string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.places[where]
	if p == nil {
		p = &place{}
		s.places[where] = p
	}
	p.bytes += int64(len(data))
	p.control = p.control || holdsAny(data, s.markers)
	if len(p.hits) == 10 || !holdsAny(data, s.marks) {
		return
	}
	whose := "a secret"
	for _, name := range slices.Sorted(maps.Keys(s.secrets)) {
		if holdsAny(data, s.secrets[name]) {
			whose = name
		}
	}
	for _, form := range s.marks {
		if at := bytes.Index(data, form); at >= 0 {
			p.hits = append(p.hits, fmt.Sprintf("%s in %s: …%q…", whose, part, data[max(0, at-80):min(len(data), at+80)]))
			return
		}
	}
}

func holdsAny(data []byte, forms [][]byte) bool {
	return slices.ContainsFunc(forms, func(form []byte) bool { return bytes.Contains(data, form) })
}

// requireNothing checks that each place was searched, and that none holds a secret.
func (s *search) requireNothing(t *testing.T, places ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, where := range places {
		p := s.places[where]
		if p == nil {
			p = &place{}
		}
		t.Logf("%-32s %4d hits in %7.1f MB, control found: %v", where, len(p.hits), float64(p.bytes)/1e6, p.control)
	}
	for _, where := range places {
		p := s.places[where]
		require.NotNil(t, p, "%s was not searched", where)
		require.True(t, p.control, "%s: not even what is no secret is found there: it would hide one, too", where)
		for _, hit := range p.hits {
			t.Errorf("%s shows %s", where, hit)
		}
	}
	for where := range s.places {
		require.Contains(t, places, where, "what is searched is also judged")
	}
}

// Each form of a secret is found, in whatever it stands, and each half of it.
func TestTheSearchFindsWhatHides(t *testing.T) {
	t.Parallel()
	s := newSearch()
	value := s.secret("secret", `"&<`)
	for name, text := range map[string]string{
		"plain": "x" + value, "half": "x" + value[len(value)-24:], "hexadecimal": hex.EncodeToString([]byte("x" + value)), "JSON": fmt.Sprintf("%q", value),
		"base64": base64.StdEncoding.EncodeToString([]byte(value)), "base64, second": base64.StdEncoding.EncodeToString([]byte("y" + value)),
		"base64, third": base64.URLEncoding.EncodeToString([]byte("yy" + value)), "URL": "%" + strings.ToUpper(hex.EncodeToString([]byte(value[:1]))) + value[1:],
	} {
		s.places, s.markers = map[string]*place{}, nil
		s.expect("marker")
		s.look("here", "a part", []byte(text))
		require.NotEmpty(t, s.places["here"].hits, name)
		require.False(t, s.places["here"].control)
		s.look("here", "a part", []byte("a marker"))
		require.True(t, s.places["here"].control)
	}
}
