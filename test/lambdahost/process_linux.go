package lambdahost

import "syscall"

// ownGroup puts a process into a group of its own, and lets it die with this
// one.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
