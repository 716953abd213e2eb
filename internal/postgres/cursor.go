package postgres

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const (
	defaultLimit = 50
	maxLimit     = 500
)

func limitOf(p deployment.Page) int {
	if p.Limit <= 0 {
		return defaultLimit
	}
	return min(p.Limit, maxLimit)
}

// A cursor names its list and the place where the last page ended: "p:<name>", "e:<name>", "m:<name>", "v:<id>" or "d:<microseconds>,<id>", in
// base64 so that nobody builds on what is inside.

func encodeCursor(kind, place string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(kind + ":" + place))
}

// decodeCursor returns the place, deployment.ErrInvalidCursor when cursor is not one of that kind.
func decodeCursor(kind, cursor string) (string, error) {
	data, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", deployment.ErrInvalidCursor
	}
	place, ok := strings.CutPrefix(string(data), kind+":")
	if !ok || !isText(place) {
		return "", deployment.ErrInvalidCursor
	}
	return place, nil
}

// cursorPreviews is the kind of cursors of lists of previews, whose place is a deployment's id.
const cursorPreviews = "v"

// decodePreviewCursor returns the id below which a page begins.
func decodePreviewCursor(cursor string) (string, error) {
	if cursor == "" {
		return maxID, nil
	}
	id, err := decodeCursor(cursorPreviews, cursor)
	if err == nil && !isID(id) {
		err = deployment.ErrInvalidCursor
	}
	return id, err
}

// The kinds of cursors of lists that are sorted by name.
const (
	cursorProjects     = "p"
	cursorEnvironments = "e"
	cursorDomains      = "m"
)

// decodeNameCursor returns the name after which a page begins, "" for the first.
func decodeNameCursor(kind, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	return decodeCursor(kind, cursor)
}

func deploymentCursor(d deployment.Deployment) string {
	return encodeCursor("d", fmt.Sprintf("%d,%s", d.CreatedAt.UnixMicro(), d.ID))
}

// The first page starts at a moment that no deployment reaches.
const (
	maxTime = "9999-12-31T00:00:00Z"
	maxID   = "ffffffff-ffff-ffff-ffff-ffffffffffff"
)

func decodeDeploymentCursor(cursor string) (before time.Time, beforeID string, err error) {
	if cursor == "" {
		before, err = time.Parse(time.RFC3339, maxTime)
		return before, maxID, err
	}
	place, err := decodeCursor("d", cursor)
	if err != nil {
		return time.Time{}, "", err
	}
	micros, id, _ := strings.Cut(place, ",")
	n, err := strconv.ParseInt(micros, 10, 64)
	before = time.UnixMicro(n).UTC()
	if err != nil || !isID(id) || before.Year() < 1970 || before.Year() > 9999 {
		return time.Time{}, "", deployment.ErrInvalidCursor
	}
	return before, id, nil
}
