package app

import "runtime/debug"

// version is set by the build; a plain `go build` falls back to what Go itself knows.
var version string

// Version names this build.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}
