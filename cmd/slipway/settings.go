package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/slipway-dev/slipway/api/client"
)

// defaultURL is where slipway-dev serves the API.
const defaultURL = "http://127.0.0.1:8080"

// answerWithin is how long the API may take to begin an answer.
const answerWithin = 30 * time.Second

// settings is what `slipway login` stores.
type settings struct {
	URL   string `yaml:"url"`
	Token string `yaml:"token"`
}

// settingsPath returns where the settings are stored.
func (c *cli) settingsPath() (string, error) {
	base := c.env("XDG_CONFIG_HOME")
	if base == "" {
		home := c.env("HOME")
		if home == "" {
			return "", &shownError{message: "no place for settings is known", fix: "set HOME or XDG_CONFIG_HOME"}
		}
		base = filepath.Join(home, ".config")
	}
	return filepath.Join(base, "slipway", "config.yaml"), nil
}

// stored reads what `slipway login` stored; nothing stored is empty settings.
func (c *cli) stored() (settings, error) {
	path, err := c.settingsPath()
	if err != nil {
		return settings{}, nil //nolint:nilerr // without a home there is nothing stored; the environment may say all
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return settings{}, nil
	}
	if err != nil {
		return settings{}, fmt.Errorf("read settings: %w", err)
	}
	var s settings
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&s); err != nil {
		return settings{}, &shownError{message: fmt.Sprintf("read settings %s: %v", path, err), fix: "run `slipway login` again; it writes the file anew"}
	}
	return s, nil
}

// store writes the settings for the user alone and returns the file's path. A crash leaves the old file or the new one.
func (c *cli) store(s settings) (string, error) {
	path, err := c.settingsPath()
	if err != nil {
		return "", err
	}
	data, err := yaml.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("store settings: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("store settings: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".config-*") // made with mode 0600
	if err != nil {
		return "", fmt.Errorf("store settings: %w", err)
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return "", fmt.Errorf("store settings: %w", errors.Join(err, os.Remove(file.Name())))
	}
	return path, nil
}

// effective returns the settings in force: the environment before the file. A stored token belongs to the stored URL and is
// never sent to another.
func (c *cli) effective() (settings, error) {
	s, err := c.stored()
	if err != nil && (c.env("SLIPWAY_API_URL") == "" || c.env("SLIPWAY_TOKEN") == "") {
		return settings{}, err
	}
	if given := c.env("SLIPWAY_API_URL"); given != "" {
		base, err := checkURL(given)
		if err != nil {
			return settings{}, err
		}
		if base != s.URL {
			s = settings{URL: base}
		}
	}
	if s.URL == "" {
		s.URL = defaultURL
	}
	if token := c.env("SLIPWAY_TOKEN"); token != "" {
		s.Token = strings.TrimSpace(token)
	}
	return s, nil
}

// api returns the client of the API in force.
func (c *cli) api() (*client.ClientWithResponses, error) {
	s, err := c.effective()
	if err != nil {
		return nil, err
	}
	return c.newAPI(s)
}

func (c *cli) newAPI(s settings) (*client.ClientWithResponses, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // the standard library's own value
	transport.ResponseHeaderTimeout = answerWithin
	api, err := client.NewClientWithResponses(s.URL,
		client.WithHTTPClient(patient{caller: caller{&http.Client{Transport: transport}}, bound: c.waitBusy, tell: func(line string) { c.say("%s", line) }}),
		client.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
			req.Header.Set("User-Agent", "slipway/"+buildVersion().Version)
			if s.Token != "" {
				req.Header.Set("Authorization", "Bearer "+s.Token)
			}
			return nil
		}))
	if err != nil {
		return nil, fmt.Errorf("make a client for %s: %w", s.URL, err)
	}
	return api, nil
}

// checkURL returns an API's base URL in the form in which it is stored.
func checkURL(raw string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", &shownError{message: fmt.Sprintf("%q is not the URL of an API", raw), fix: "give one like https://slipway.example.com or " + defaultURL, exit: exitUsage}
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// exposesToken reports whether a token would travel unencrypted beyond this machine.
func exposesToken(base string) bool {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" || u.Hostname() == "localhost" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return ip == nil || !ip.IsLoopback()
}
