package figures

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Spread is a sample: its median, and the quartiles around it.
type Spread struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	// Size is how many values there were.
	Size int `json:"size"`
}

// Exactly is a value that does not vary.
func Exactly(value float64) Spread { return Spread{Median: value, Low: value, High: value, Size: 1} }

// Of is the spread of some values; of none it is zero.
func Of(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	return Spread{Median: at(sorted, 0.5), Low: at(sorted, 0.25), High: at(sorted, 0.75), Size: len(sorted)}
}

// Median is the middle one of some values.
func Median(values []float64) float64 { return Of(values).Median }

// Ratio divides pair by pair: both samples were taken alternately, so what slowed
// the machine slowed both. What has no partner is left out.
func Ratio(over, under []float64) Spread {
	var ratios []float64
	for i := range min(len(over), len(under)) {
		if under[i] > 0 {
			ratios = append(ratios, over[i]/under[i])
		}
	}
	return Of(ratios)
}

// at is the value at a share of the way through sorted ones, between two of
// them if need be.
func at(sorted []float64, share float64) float64 {
	place := share * float64(len(sorted)-1)
	below := int(place)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (place-float64(below))*(sorted[above]-sorted[below])
}

// Text is a value with three digits that matter.
func Text(value float64) string {
	const digits = 3
	if value == math.Trunc(value) {
		return strconv.FormatFloat(value, 'f', 0, 64)
	}
	whole := len(strconv.FormatFloat(math.Trunc(math.Abs(value)), 'f', 0, 64))
	return strconv.FormatFloat(value, 'f', max(0, min(digits-whole, 2)), 64)
}

// String implements fmt.Stringer: the median, and the quartiles if they differ.
func (s Spread) String() string {
	low, high := Text(s.Low), Text(s.High)
	if cmp.Compare(low, high) == 0 {
		return Text(s.Median)
	}
	return fmt.Sprintf("%s (%s to %s)", Text(s.Median), low, high)
}
