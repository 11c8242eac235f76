package deploy

import (
	"testing"
)

// checks are all rules, by name. Each is a function of the template alone.
var checks = map[string]func(testing.TB, template) problems{
	"functions":    checkFunctions,
	"layers":       checkLayers,
	"environment":  checkEnvironment,
	"events":       checkEvents,
	"schedule":     checkSchedule,
	"api":          checkAPI,
	"table":        checkTable,
	"statements":   checkStatements,
	"trust":        checkTrust,
	"parity":       checkParity,
	"keys":         checkKeys,
	"operator":     checkOperator,
	"key":          checkKey,
	"alarms":       checkAlarms,
	"dashboard":    checkDashboard,
	"parameters":   checkParameters,
	"outputs":      checkOutputs,
	"exemptions":   checkExemptions,
	"company":      checkCompany,
	"teams":        checkTeams,
	"network":      checkNetwork,
	"organization": checkOrganization,
}

func TestTheTemplate(t *testing.T) {
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			for _, problem := range check(t, load(t)) {
				t.Error(problem)
			}
		})
	}
}
