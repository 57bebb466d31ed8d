// A guest with the imports, exports and habits of the Go SDK: a WASI reactor, marker 0.2.0, an allocator that refuses zero bytes,
// contexts that it must have been told of. Logs the path of every request and adds `x-go: <configuration>` to every response.
package main

import (
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

//go:wasmimport env proxy_log
func proxyLog(level uint32, data unsafe.Pointer, size uint32) uint32

//go:wasmimport env proxy_get_buffer_bytes
func proxyGetBufferBytes(buffer, start, max uint32, data, size unsafe.Pointer) uint32

//go:wasmimport env proxy_get_header_map_value
func proxyGetHeaderMapValue(headers uint32, key unsafe.Pointer, keySize uint32, data, size unsafe.Pointer) uint32

//go:wasmimport env proxy_add_header_map_value
func proxyAddHeaderMapValue(headers uint32, key unsafe.Pointer, keySize uint32, value unsafe.Pointer, valueSize uint32) uint32

const (
	levelInfo       = 2
	requestHeaders  = 0
	responseHeaders = 2
	configuration   = 7
	maxSize         = 1<<31 - 1
)

var (
	roots   = map[uint32]string{} // configurations
	streams = map[uint32]uint32{} // roots
	pinned  = map[uintptr][]byte{}
	started = time.Now()
)

func bytesOf(text string) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.StringData(text)), uint32(len(text))
}

func logText(text string) {
	data, size := bytesOf(text)
	proxyLog(levelInfo, data, size)
}

// take turns what the host allocated into a string of ours.
func take(data uint32, size uint32) string {
	if data == 0 {
		return ""
	}
	delete(pinned, uintptr(data))
	return string(unsafe.Slice((*byte)(unsafe.Pointer(uintptr(data))), size))
}

//go:wasmexport proxy_abi_version_0_2_0
func abiVersion() {}

//go:wasmexport proxy_on_memory_allocate
func onMemoryAllocate(size uint32) uint32 {
	block := make([]byte, size)
	address := uintptr(unsafe.Pointer(&block[0])) // panics on size 0
	pinned[address] = block
	return uint32(address)
}

//go:wasmexport proxy_on_context_create
func onContextCreate(context, parent uint32) {
	if parent == 0 {
		roots[context] = ""
		return
	}
	if _, known := roots[parent]; !known {
		panic("invalid root context " + strconv.Itoa(int(parent)))
	}
	streams[context] = parent
}

//go:wasmexport proxy_on_vm_start
func onVMStart(context, size uint32) uint32 { return 1 }

//go:wasmexport proxy_on_configure
func onConfigure(context, size uint32) uint32 {
	if _, known := roots[context]; !known {
		panic("invalid root context " + strconv.Itoa(int(context)))
	}
	var data, length uint32
	if size > 0 && proxyGetBufferBytes(configuration, 0, maxSize, unsafe.Pointer(&data), unsafe.Pointer(&length)) == 0 {
		roots[context] = take(data, length)
	}
	if name, found := syscall.Getenv("GUEST_NAME"); found {
		syscall.Write(1, []byte("I am "+name+"\n"))
	}
	return 1
}

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(context, count, end uint32) uint32 {
	mustKnow(context)
	var data, length uint32
	key, keySize := bytesOf(":path")
	if proxyGetHeaderMapValue(requestHeaders, key, keySize, unsafe.Pointer(&data), unsafe.Pointer(&length)) == 0 {
		logText("hello from Go, " + take(data, length))
	}
	return 0
}

//go:wasmexport proxy_on_response_headers
func onResponseHeaders(context, count, end uint32) uint32 {
	root := mustKnow(context)
	key, keySize := bytesOf("x-go")
	value, valueSize := bytesOf(roots[root])
	proxyAddHeaderMapValue(responseHeaders, key, keySize, value, valueSize)
	return 0
}

//go:wasmexport proxy_on_done
func onDone(context uint32) uint32 { return 1 }

//go:wasmexport proxy_on_log
func onLog(context uint32) {
	if time.Since(started) < 0 {
		panic("the clock runs backwards")
	}
}

//go:wasmexport proxy_on_delete
func onDelete(context uint32) {
	if _, root := roots[context]; root {
		delete(roots, context)
		return
	}
	mustKnow(context)
	delete(streams, context)
}

func mustKnow(context uint32) uint32 {
	root, known := streams[context]
	if !known {
		panic("invalid context " + strconv.Itoa(int(context)))
	}
	return root
}

func main() {}
