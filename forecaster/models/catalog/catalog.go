// Package catalog makes models by name.
//
// It is a room of its own because models that are large have rooms of their
// own below forecaster/models, and all of them import it. A model belongs here
// once it passes modeltest.Run; nothing is listed that is not built.
package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kedastral/kedastral/forecaster/models"
)

// New makes the model of a name. A name that no model has is an error that
// lists those there are; so is a quantile level out of range.
func New(name string, o models.Options) (models.Model, error) {
	makeModel, ok := all()[name]
	if !ok {
		return nil, fmt.Errorf("model %q: must be one of %s", name, strings.Join(Names(), ", "))
	}
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	return makeModel(o), nil
}

// Names are the models' names, ascending.
func Names() []string { return slices.Sorted(maps.Keys(all())) }

func all() map[string]func(models.Options) models.Model {
	return map[string]func(models.Options) models.Model{
		"naive":          func(o models.Options) models.Model { return models.NewNaive(o) },
		"seasonal-naive": func(o models.Options) models.Model { return models.NewSeasonalNaive(o) },
		"baseline":       func(o models.Options) models.Model { return models.NewBaseline(o) },
	}
}
