//go:build !race

package devserver

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// version is a schema version such as 0.11, compared by numbers.
type version struct{ major, minor int }

func parseVersion(s string) (version, error) {
	var v version
	if _, err := fmt.Sscanf(s, "%d.%d", &v.major, &v.minor); err != nil {
		return version{}, fmt.Errorf("schema version %q: %w", s, err)
	}
	return v, nil
}

func (v version) compare(w version) int {
	return cmp.Or(cmp.Compare(v.major, w.major), cmp.Compare(v.minor, w.minor))
}

func (v version) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

// versionsBetween lists the versions above have, up to and including want, in ascending order.
func versionsBetween(assets fs.FS, have, want string) ([]string, error) {
	from, err := parseVersion(have)
	if err != nil {
		return nil, err
	}
	to, err := parseVersion(want)
	if err != nil {
		return nil, err
	}
	if from.compare(to) > 0 {
		return nil, fmt.Errorf("has schema version %s, this slipway knows %s: start the newer slipway, or move the file away",
			have, want)
	}
	dirs, err := fs.ReadDir(assets, path.Join(mainDir, "versioned"))
	if err != nil {
		return nil, err
	}
	var between []version
	for _, d := range dirs {
		v, err := parseVersion(strings.TrimPrefix(d.Name(), "v"))
		if err != nil {
			return nil, err
		}
		if v.compare(from) > 0 && v.compare(to) <= 0 {
			between = append(between, v)
		}
	}
	slices.SortFunc(between, version.compare)
	names := make([]string, len(between))
	for i, v := range between {
		names[i] = v.String()
	}
	return names, nil
}
