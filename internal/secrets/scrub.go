package secrets

import "regexp"

// userinfo finds what stands between "scheme://" and the last @ before the path.
var userinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#"'<>]*@`)

// ScrubURLs takes user names and passwords out of every URL in a text; a token is often the user name.
func ScrubURLs(text string) string { return userinfo.ReplaceAllString(text, "$1") }
