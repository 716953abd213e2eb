package testbed

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Dev is slipway-dev in a process of its own, with a data directory of its own, as a user would run it.
type Dev struct {
	Binary string
	Data   string   // data directory; what the program logs is appended to Data.log
	Env    []string // all of its environment
	API    string   // host:port

	cmd    *exec.Cmd
	exited chan error
}

// Start starts the program and waits until it says that it is ready.
func (d *Dev) Start() error {
	output, err := os.OpenFile(d.Data+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer output.Close()
	cmd, exited := exec.Command(d.Binary, "run"), make(chan error, 1)
	cmd.Env, cmd.Stdout, cmd.Stderr = d.Env, output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { exited <- cmd.Wait() }()
	d.cmd, d.exited = cmd, exited
	return d.awaitReady()
}

func (d *Dev) awaitReady() error {
	deadline := time.After(3 * time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-d.exited:
			return errors.Join(fmt.Errorf("slipway-dev ended while starting (%s); see %s.log", d.cmd.ProcessState, d.Data), err)
		case <-deadline:
			return fmt.Errorf("slipway-dev is not ready after 3 minutes; see %s.log", d.Data)
		case <-tick.C:
			if response, err := http.Get("http://" + d.API + "/readyz"); err == nil {
				response.Body.Close()
				if response.StatusCode == http.StatusOK {
					return nil
				}
			}
		}
	}
}

// Stop asks the program to end, as `make down` does, and reports how it did.
func (d *Dev) Stop() error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-d.exited:
		return err
	case <-time.After(3 * time.Minute):
		_ = d.cmd.Process.Kill()
		return errors.New("still running 3 minutes after SIGTERM")
	}
}

// Kill ends the program as a power cut would; its children live on until the next start finds them.
func (d *Dev) Kill() error {
	if err := d.cmd.Process.Kill(); err != nil {
		return err
	}
	if err := <-d.exited; err == nil {
		return errors.New("slipway-dev had ended before it was killed")
	}
	return nil
}

// PID is the program's process.
func (d *Dev) PID() int { return d.cmd.Process.Pid }

// RemovePreviews removes what the installation of a data directory has on the Docker engine.
func RemovePreviews(data string) error {
	id, err := os.ReadFile(filepath.Join(data, "installation"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	const command = `label=label=slipway.installation=$1
docker ps -aq --filter $label | xargs -r docker rm -f
docker network ls -q --filter $label | xargs -r docker network rm`
	out, err := exec.Command("sh", "-ec", command, "sh", strings.TrimSpace(string(id))).CombinedOutput()
	if err != nil {
		return fmt.Errorf("remove previews: %w: %s", err, out)
	}
	return nil
}

// WithoutSlipway returns this process's environment without the settings of a slipway.
func WithoutSlipway() []string {
	var kept []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SLIPWAY_") {
			kept = append(kept, v)
		}
	}
	return kept
}
