package gateway

import (
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// A visitor has read that the upgrade is answered before the proxy begins to pass on what they say.
func TestGoAway_AsSoonAsTheUpgradeIsAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		visitor, conn := net.Pipe()
		c := newClient(conn, &watched{}, true)
		left := make(chan struct{})
		go func() { defer close(left); c.goAway() }()
		synctest.Wait()
		go func() { _, _ = c.Read(make([]byte, 64)) }()
		frame := make([]byte, len(goingAway))
		_, err := io.ReadFull(visitor, frame)
		require.NoError(t, err)
		require.Equal(t, string(goingAway), string(frame))
		require.NoError(t, visitor.Close())
		<-left
	})
}
