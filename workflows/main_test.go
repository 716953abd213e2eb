package workflows_test

import (
	"testing"

	"github.com/slipway-dev/slipway/temporal/devservertest"
)

func TestMain(m *testing.M) { devservertest.Main(m) }
