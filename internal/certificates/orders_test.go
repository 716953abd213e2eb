package certificates_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/certificates"
)

func TestOrders_AFailureIsWaitedOut(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	o := certificates.NewOrders(0, func() time.Time { return now })
	for i, wait := range []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, time.Hour} {
		require.NoError(t, o.Begin("a.example.com", i%2 == 1))
		o.Ended("a.example.com", true)
		now = now.Add(wait - time.Second)
		require.ErrorContains(t, o.Begin("a.example.com", i%2 == 0), "failed "+strconv.Itoa(i+1)+" times; the next is at")
		require.NoError(t, o.Begin("b.example.com", false))
		now = now.Add(time.Second)
	}
	require.NoError(t, o.Begin("a.example.com", false))
	o.Ended("a.example.com", false)
	require.NoError(t, o.Begin("a.example.com", false), "all is forgiven")
}

func TestOrders_SoManyAnHour(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	o := certificates.NewOrders(2, func() time.Time { return now })
	require.NoError(t, o.Begin("a.example.com", false))
	now = now.Add(30 * time.Minute)
	require.NoError(t, o.Begin("b.example.com", false))
	require.ErrorContains(t, o.Begin("c.example.com", false), "SLIPWAY_TLS_MAX_ORDERS")
	require.NoError(t, o.Begin("a.example.com", true), "renewals are no new certificates")
	now = now.Add(30 * time.Minute)
	require.NoError(t, o.Begin("c.example.com", false))
	require.Error(t, o.Begin("d.example.com", false))
}

func TestOrders_StrangersDoNotFillTheMemory(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	o := certificates.NewOrders(0, func() time.Time { return now })
	for i := range 10_050 {
		o.Ended(strconv.Itoa(i)+".example.com", true)
	}
	require.LessOrEqual(t, o.Remembered(), 10_000)
	require.Error(t, o.Begin("10049.example.com", false))
}
