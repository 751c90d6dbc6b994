package storage_test

import (
	"testing"

	"github.com/kedastral/kedastral/forecaster/storage"
	"github.com/kedastral/kedastral/forecaster/storage/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) storage.Store { return storage.NewMemory() })
}
