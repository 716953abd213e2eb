package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBarePhases(t *testing.T) {
	t.Parallel()
	times := "begin 100.0\nclone 100.5\nplan 100.75\nbuild 110.75\nrun 112.75\nanswer 113.0\n"
	build := "#5 [2/3] RUN npm ci\n#5 DONE 4.1s\n\n#6 exporting to image\n#6 exporting layers\n#6 exporting layers 5.5s done\n#6 pushing layers\n#6 pushing layers 2.0s done\n"
	phases, err := barePhases([]byte(times), []byte(build))
	require.NoError(t, err)
	require.Equal(t, []phase{
		{"clone", 500 * time.Millisecond},
		{"plan", 250 * time.Millisecond},
		{"solve", 2500 * time.Millisecond},
		{"exporting", 5500 * time.Millisecond},
		{"pushing", 2 * time.Second},
		{"pull and start", 2 * time.Second},
		{"answer", 250 * time.Millisecond},
	}, phases)

	_, err = barePhases([]byte("begin now\n"), nil)
	require.ErrorContains(t, err, script)
}
