package lambdahost

import "syscall"

// ownGroup puts a process into a group of its own, and has it killed with this
// one.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
