package deploy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// layers are the extension's, by architecture.
var layers = map[string]string{"arm64": "ExtensionLayerArm64", "x86_64": "ExtensionLayerX86"}

func checkLayers(_ testing.TB, t template) (found problems) {
	var ids []string
	for _, r := range t.resources("AWS::Serverless::LayerVersion") {
		ids = append(ids, r.id)
	}
	if want := []string{layers["arm64"], layers["x86_64"]}; !slices.Equal(ids, want) {
		found.addf("layers %v, want %v", ids, want)
	}
	for architecture, id := range layers {
		metadata := objectAt(t.get(id).body, "Metadata")
		if metadata["BuildMethod"] != "makefile" || metadata["BuildArchitecture"] != architecture {
			found.addf("%s: built by %v for %v, want makefile, %s", id, metadata["BuildMethod"], metadata["BuildArchitecture"], architecture)
		}
		p := t.get(id).properties()
		want := map[string]string{
			"CompatibleArchitectures": "[" + architecture + "]", "ContentUri": ".",
			// Functions of others name a version for as long as they like.
			"RetentionPolicy": "Retain",
			"LayerName":       stack + "-extension-" + strings.ReplaceAll(architecture, "_", "-"),
		}
		for key, want := range want {
			if got := t.resolve(p[key]); got != want {
				found.addf("%s: %s is %s, want %s", id, key, got, want)
			}
		}
		if p["CompatibleRuntimes"] != nil {
			found.addf("%s: it is for every runtime", id)
		}
		if got := fmt.Sprint(at(t.doc, "Outputs", id+"Arn", "Value", "Ref")); got != id {
			found.addf("%s: output %sArn is %s, want its ARN", id, id, got)
		}
	}
	return found
}
