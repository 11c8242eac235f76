package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// machine describes where this runs, without a name.
func machine() []string {
	lines := []string{fmt.Sprintf("%d processors", runtime.NumCPU())}
	if model := processor(); model != "" {
		lines = append(lines, model)
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err == nil {
		lines = append(lines, unix.ByteSliceToString(u.Sysname[:])+" "+version(unix.ByteSliceToString(u.Release[:])))
	}
	return append(lines, runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH)
}

// version is a kernel's, without what its builder calls it.
func version(release string) string {
	number, _, _ := strings.Cut(release, "-")
	return number
}

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
