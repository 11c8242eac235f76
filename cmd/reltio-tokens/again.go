package main

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

// again is what a command that a text names needs so that it can be pasted: the
// flags that say where the installation is, as they were given, and the connection.
// The zero value leaves texts as they are.
type again struct {
	flags, name string
	// machine: the output is for programs, and stays as it is.
	machine bool
}

// commandLine is what the operator has given.
func commandLine(command *kong.Context) again {
	var a again
	selected := reflect.ValueOf(command.Selected().Target.Addr().Interface()).Elem()
	if f := selected.FieldByName("Name"); f.IsValid() && f.Kind() == reflect.String {
		a.name = f.String()
	}
	for _, flag := range []string{"JSON", "ShowToken"} {
		f := selected.FieldByName(flag)
		a.machine = a.machine || f.IsValid() && f.Bool()
	}
	for _, element := range command.Path {
		if f := element.Flag; f != nil && f.Group != nil && f.Group.Key == globalFlags && f.Name != "timeout" {
			a.flags += " " + quoted(fmt.Sprintf("--%s=%v", f.Name, f.Target.Interface()))
		}
	}
	return a
}

// quoted is an argument as a shell takes it.
func quoted(text string) string {
	if !strings.ContainsFunc(text, func(c rune) bool { return !strings.ContainsRune(plainCharacters, c) }) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

const plainCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=.:/,@%+"

// named finds the commands that a text names: the word after the program's name, and
// NAME if it stands for the connection.
var named = regexp.MustCompile(`\breltio-tokens ([a-z]+)( NAME\b)?`)

// inText is the text with commands that can be pasted.
func (a again) inText(text *bytes.Buffer) string {
	if a.machine {
		return text.String()
	}
	return named.ReplaceAllStringFunc(text.String(), func(found string) string {
		words := strings.Fields(found)
		found = words[0] + a.flags + " " + words[1]
		if len(words) > 2 && a.name != "" {
			return found + " " + a.name
		}
		return strings.Join(append([]string{found}, words[2:]...), " ")
	})
}
