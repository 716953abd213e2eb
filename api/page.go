package api

import "time"

// Sizes of a page; the contract names them as defaults.
const (
	defaultPageItems = 50
	defaultLogLines  = 200
)

// pageOf turns the parameters of a list into the store's.
func pageOf(limit *int, cursor *string) Page {
	page := Page{Limit: defaultPageItems, Cursor: value(cursor)}
	if limit != nil {
		page.Limit = *limit
	}
	return page
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return optional(t.UTC())
}
