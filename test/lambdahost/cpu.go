package lambdahost

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// ErrNoCPUControl says that this machine does not let this process limit the processor:
// there is no control group file system with the cpu controller, or it cannot
// be written to. Root can, on most machines that are no containers.
var ErrNoCPUControl = errors.New("lambdahost: no writable cpu control group")

// cpuPeriod is in what steps time is shared out: 20 ms, as on Lambda.
const cpuPeriod = 20 * time.Millisecond

// cpuGroup is a control group for an environment's processes. All methods of a
// nil one do nothing.
type cpuGroup struct {
	folder string
	// unified: version 2 of control groups.
	unified bool
}

// newCPUGroup makes a group without a limit.
func newCPUGroup(id string) (*cpuGroup, error) {
	name := fmt.Sprintf("lambdahost-%d-%s", os.Getpid(), id)
	var causes []error
	for _, parent := range []string{"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup"} {
		g := &cpuGroup{folder: filepath.Join(parent, name), unified: parent == "/sys/fs/cgroup"}
		err := g.create(parent)
		if err == nil {
			return g, nil
		}
		causes = append(causes, err)
	}
	return nil, fmt.Errorf("%w: %w", ErrNoCPUControl, errors.Join(causes...))
}

// create makes the folder; the kernel fills it with files.
func (g *cpuGroup) create(parent string) error {
	if g.unified {
		if err := writeFile(filepath.Join(parent, "cgroup.subtree_control"), "+cpu"); err != nil {
			return err
		}
	} else if _, err := os.Stat(filepath.Join(parent, "cpu.cfs_quota_us")); err != nil {
		return err
	}
	return os.Mkdir(g.folder, 0o755) //nolint:gosec // not a folder that holds anything
}

// add moves a process into the group.
func (g *cpuGroup) add(pid int) error {
	if g == nil {
		return nil
	}
	return writeFile(filepath.Join(g.folder, "cgroup.procs"), strconv.Itoa(pid))
}

// limit gives the group a share of one processor.
func (g *cpuGroup) limit(share float64) error {
	const least = time.Millisecond // the kernel takes no less
	period, quota := cpuPeriod, time.Duration(share*float64(cpuPeriod))
	if quota < least {
		quota, period = least, time.Duration(float64(least)/share)
	}
	if g.unified {
		return writeFile(filepath.Join(g.folder, "cpu.max"), fmt.Sprintf("%d %d", quota.Microseconds(), period.Microseconds()))
	}
	if err := writeFile(filepath.Join(g.folder, "cpu.cfs_period_us"), strconv.FormatInt(period.Microseconds(), 10)); err != nil {
		return err
	}
	return writeFile(filepath.Join(g.folder, "cpu.cfs_quota_us"), strconv.FormatInt(quota.Microseconds(), 10))
}

// remove removes the group, in which nothing runs any more. The kernel may need
// a moment to see that.
func (g *cpuGroup) remove() {
	if g == nil {
		return
	}
	for range 100 {
		if err := os.Remove(g.folder); err == nil || errors.Is(err, os.ErrNotExist) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func writeFile(name, text string) error {
	f, err := os.OpenFile(filepath.Clean(name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
