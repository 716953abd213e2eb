package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseEnv(t *testing.T) {
	t.Parallel()
	for what, tc := range map[string]struct {
		content string
		want    []variable
	}{
		"nothing":              {"", nil},
		"blank and comments":   {"\n  \n# A=1\n   # B=2\n", nil},
		"bare":                 {"A=1\nB=two words", []variable{{"A", "1"}, {"B", "two words"}}},
		"empty":                {"A=\nB=\"\"\nC=''\nD= # nothing", []variable{{"A", ""}, {"B", ""}, {"C", ""}, {"D", ""}}},
		"blanks around":        {"  A =  1  \n\tB\t=\t2\t", []variable{{"A", "1"}, {"B", "2"}}},
		"export":               {"export A=1\nexport\tB=2\nexported=3", []variable{{"A", "1"}, {"B", "2"}, {"exported", "3"}}},
		"comment behind":       {"A=1 # one\nB=x#y\nC='a # b' # c\nD=\"#\"", []variable{{"A", "1"}, {"B", "x#y"}, {"C", "a # b"}, {"D", "#"}}},
		"equals in value":      {"URL=postgres://u:p@db/x?a=b", []variable{{"URL", "postgres://u:p@db/x?a=b"}}},
		"literal":              {`A='$HOME \n "x"'`, []variable{{"A", `$HOME \n "x"`}}},
		"escapes":              {`A="a\nb\t\"c\" \\ \$D \x"`, []variable{{"A", "a\nb\t\"c\" \\ $D \\x"}}},
		"no expansion":         {"A=$B\nC=\"${D}\"", []variable{{"A", "$B"}, {"C", "${D}"}}},
		"several lines":        {"KEY=\"-----BEGIN-----\nabc=\n-----END-----\"\nB=1", []variable{{"KEY", "-----BEGIN-----\nabc=\n-----END-----"}, {"B", "1"}}},
		"several literal":      {"A='x\n#y\n'\nB=1", []variable{{"A", "x\n#y\n"}, {"B", "1"}}},
		"windows line breaks":  {"A=1\r\nB=\"x\r\ny\"\r\n", []variable{{"A", "1"}, {"B", "x\ny"}}},
		"byte order mark":      {"\ufeffA=1", []variable{{"A", "1"}}},
		"quote inside":         {`A=it's "fine"`, []variable{{"A", `it's "fine"`}}},
		"unicode":              {"A=grün", []variable{{"A", "grün"}}},
		"last line unfinished": {"A=1\nB=2", []variable{{"A", "1"}, {"B", "2"}}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			got, err := parseEnv(tc.content)
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestParseEnvNamesTheWrongLine(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"A=1\n\nhunter2\n":             "line 3: has no =",
		"# x\n1A=hunter2":              "line 2: what stands before = is not the name of a variable",
		"A-B=hunter2":                  "line 1: what stands before = is not the name of a variable",
		"=hunter2":                     "line 1: what stands before = is not the name of a variable",
		"A=\"x\ny\"\nB=\"hunter2\nC=1": "line 3: the quote that opens the value of B is never closed",
		"A=\"x\\\ny\"\nB='hunter2":     "line 3: the quote that opens the value of B is never closed",
		"A=\"x\ny\" hunter2":           "line 2: something follows the closing quote of A",
		"A=1\nB=2\nA=hunter2":          "line 3: A is set a second time, first in line 1",
		"A=hunter2\xff":                "is not UTF-8 text",
	} {
		_, err := parseEnv(content)
		require.EqualError(t, err, want, "%q", content)
		require.NotContains(t, err.Error(), "hunter2", "a value is shown")
	}
}
