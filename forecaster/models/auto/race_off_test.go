//go:build !race

package auto_test

const raced = false
