package config

import "net/url"

// Setting is a setting with the value that is in force.
type Setting struct {
	Variable, Value string
	Given           bool // by the environment or the file; otherwise it is the default
}

// InForce lists the settings of a machine as its programs read them, for people: passwords are left out.
func InForce(environ []string) ([]Setting, error) {
	said, err := readSources(environ)
	if err != nil {
		return nil, err
	}
	keys := allKeys()
	settings := make([]Setting, len(keys))
	for i, k := range keys {
		_, value, isGiven := said.find(k)
		settings[i] = Setting{Variable: k.env, Value: k.withoutPassword(value), Given: isGiven}
	}
	return settings, nil
}

// withoutPassword returns the value of a key as anybody may see it. Of a secret URL it keeps whom it names and where.
func (k key) withoutPassword(value string) string {
	u, err := url.Parse(value)
	switch {
	case (err != nil || u.Host == "") && k.secret:
		return ""
	case err != nil || u.Host == "":
		return value
	case k.secret:
		u.RawQuery = "" // drivers take passwords there too
		u.User = url.User(u.User.Username())
	default:
		u.User = nil // a token is often the user name
	}
	return u.String()
}
