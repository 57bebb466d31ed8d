// What the engine needs of V8, as functions of C. Written against V8's public headers, so that any V8 will do whose
// headers and library belong together. `ffi.rs` declares the same types and functions; keep the two alike.
//
// One V8 isolate and one context for each thread, entered once. No JavaScript of a guest runs here: only Wasm, and
// the four constructors and one empty function that are looked up when the isolate is made.

#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include <libplatform/libplatform.h>
#include <v8.h>

namespace {

constexpr size_t kMaxFrames = 20;
constexpr size_t kMaxMessage = 512;
constexpr size_t kMaxWords = 16;

struct Isolate;
struct Vm;

}  // namespace

extern "C" {

// A name in UTF-8; not terminated.
struct Name {
  const char* bytes;
  size_t length;
};

// The beginning of what Rust knows of a host function. Bit n of `longs` says that parameter n is an i64.
struct HostFunction {
  // False if the guest call is to end. `result` is taken if `returns`.
  bool (*call)(void* host, const HostFunction* self, const uint64_t* words, uint32_t* result);
  uint32_t parameters;
  uint32_t longs;
  bool returns;
};

enum ImportKind : uint32_t { kFunction, kMemory, kFunctionTable, kExternTable };

struct Import {
  Name module;
  Name name;
  ImportKind kind;
  // Of memories in pages, of tables in elements.
  uint32_t initial;
  uint32_t maximum;
  const HostFunction* function;
};

// Why a call failed. Offsets are those of the guest's frames in the module's bytes, innermost first.
struct Failure {
  size_t message_length;
  size_t frames;
  uint32_t offsets[kMaxFrames];
  char message[kMaxMessage];
};

}  // extern "C"

namespace {

v8::Platform* platform = nullptr;

struct Frames {
  size_t count = 0;
  uint32_t offsets[kMaxFrames];
};

struct Isolate {
  v8::Isolate* isolate = nullptr;
  v8::Global<v8::Context> context;
  v8::Global<v8::Function> new_instance, new_memory, new_table, nothing;
  // Made once for all instances on the thread, because that takes longer than a call.
  std::unordered_map<const HostFunction*, v8::Global<v8::Function>> functions;
  // The instance whose code runs.
  Vm* running = nullptr;
  // Set when a call made within a hostcall did not return, until that hostcall has ended, too.
  bool unwinding = false;
  // Set while a guest call is being ended on the host's wish, and where the guest then was.
  bool stopping = false;
  Frames stopped_at;
  // On this thread, when the guest next looks for interruptions; true ends the guest call.
  bool (*on_interrupt)(void* owner) = nullptr;
  void* owner = nullptr;
};

struct Module {
  v8::CompiledWasmModule compiled;
};

struct Vm {
  Isolate* isolate;
  void* host;
  v8::Global<v8::WasmMemoryObject> memory;
  // Empty for an export that is not a function.
  std::vector<v8::Global<v8::Function>> exports;
};

Frames FramesOf(v8::Isolate* isolate, v8::Local<v8::StackTrace> trace) {
  Frames frames;
  if (trace.IsEmpty()) return frames;
  for (int index = 0; index < trace->GetFrameCount() && frames.count < kMaxFrames; ++index) {
    v8::Local<v8::StackFrame> frame = trace->GetFrame(isolate, index);
    // The column counts from 1.
    if (frame->IsWasm()) frames.offsets[frames.count++] = static_cast<uint32_t>(frame->GetColumn() - 1);
  }
  return frames;
}

// Ends what the guest is doing. An exception could be caught by the guest; this cannot.
void Stop(Isolate* self) {
  self->stopped_at = FramesOf(self->isolate, v8::StackTrace::CurrentStackTrace(self->isolate, kMaxFrames));
  self->stopping = true;
  self->isolate->TerminateExecution();
}

void CallHost(const v8::FunctionCallbackInfo<v8::Value>& info) {
  v8::Isolate* isolate = info.GetIsolate();
  auto* self = static_cast<Isolate*>(isolate->GetData(0));
  auto* function = static_cast<const HostFunction*>(info.Data().As<v8::External>()->Value());
  // Wasm passes what the import's type says, which has been checked to be the function's.
  if (self->running == nullptr || info.Length() != static_cast<int>(function->parameters)) return;
  uint64_t words[kMaxWords];
  for (uint32_t index = 0; index < function->parameters; ++index) {
    v8::Local<v8::Value> value = info[static_cast<int>(index)];
    words[index] = function->longs >> index & 1 ? value.As<v8::BigInt>()->Uint64Value()
                                                : static_cast<uint32_t>(value.As<v8::Int32>()->Value());
  }
  uint32_t result = 0;
  if (function->call(self->running->host, function, words, &result)) {
    if (function->returns) info.GetReturnValue().Set(static_cast<int32_t>(result));
    return;
  }
  // What ended the guest's allocator, called from here, is on its way already.
  if (self->unwinding) {
    self->unwinding = false;
    return;
  }
  Stop(self);
  // Termination is noticed where JavaScript begins.
  v8::Local<v8::Value> none;
  v8::Local<v8::Function> nothing = self->nothing.Get(isolate);
  bool returned = nothing->Call(self->context.Get(isolate), v8::Undefined(isolate), 0, nullptr).ToLocal(&none);
  static_cast<void>(returned);
}

void Describe(Isolate* self, const v8::TryCatch& caught, Failure* failure) {
  v8::Isolate* isolate = self->isolate;
  failure->message_length = 0;
  failure->frames = 0;
  Frames frames;
  if (self->stopping) {
    frames = self->stopped_at;
  } else if (!caught.Message().IsEmpty()) {
    v8::Local<v8::String> text = caught.Message()->Get();
    int options = v8::String::NO_NULL_TERMINATION | v8::String::REPLACE_INVALID_UTF8;
    failure->message_length = text->WriteUtf8(isolate, failure->message, kMaxMessage, nullptr, options);
    frames = FramesOf(isolate, v8::Exception::GetStackTrace(caught.Exception()));
  }
  failure->frames = frames.count;
  memcpy(failure->offsets, frames.offsets, sizeof frames.offsets);
}

// After the outermost call: what ended it must not end the next.
void Resume(Isolate* self) {
  self->stopping = false;
  self->isolate->CancelTerminateExecution();
}

v8::Local<v8::String> String(v8::Isolate* isolate, Name name) {
  return v8::String::NewFromUtf8(isolate, name.bytes, v8::NewStringType::kInternalized, static_cast<int>(name.length))
      .ToLocalChecked();
}

v8::Local<v8::String> String(v8::Isolate* isolate, const char* name) {
  return String(isolate, Name{name, strlen(name)});
}

v8::Local<v8::Value> Property(v8::Local<v8::Context> context, v8::Local<v8::Value> object, const char* name) {
  return object.As<v8::Object>()->Get(context, String(context->GetIsolate(), name)).ToLocalChecked();
}

v8::MaybeLocal<v8::Function> ImportedFunction(Isolate* self, v8::Local<v8::Context> context, const HostFunction* host) {
  v8::Global<v8::Function>& known = self->functions[host];
  if (!known.IsEmpty()) return known.Get(self->isolate);
  auto data = v8::External::New(self->isolate, const_cast<HostFunction*>(host));
  v8::Local<v8::Function> made;
  if (!v8::Function::New(context, CallHost, data, 0, v8::ConstructorBehavior::kThrow).ToLocal(&made)) return {};
  known.Reset(self->isolate, made);
  return made;
}

v8::MaybeLocal<v8::Object> Sized(Isolate* self, v8::Local<v8::Context> context, const v8::Global<v8::Function>& kind,
                                 const Import& import) {
  v8::Isolate* isolate = self->isolate;
  v8::Local<v8::Object> type = v8::Object::New(isolate);
  auto set = [&](const char* name, v8::Local<v8::Value> value) {
    return type->Set(context, String(isolate, name), value).IsJust();
  };
  const char* element = import.kind == kExternTable ? "externref" : "anyfunc";
  bool done = set("initial", v8::Integer::NewFromUnsigned(isolate, import.initial)) &&
              set("maximum", v8::Integer::NewFromUnsigned(isolate, import.maximum)) &&
              (import.kind == kMemory || set("element", String(isolate, element)));
  if (!done) return {};
  v8::Local<v8::Value> arguments[] = {type};
  return kind.Get(isolate)->NewInstance(context, 1, arguments);
}

v8::MaybeLocal<v8::Object> Imports(Vm* vm, v8::Local<v8::Context> context, const Import* imports, size_t count) {
  Isolate* self = vm->isolate;
  v8::Isolate* isolate = self->isolate;
  v8::Local<v8::Object> all = v8::Object::New(isolate);
  for (size_t index = 0; index < count; ++index) {
    const Import& import = imports[index];
    v8::Local<v8::Object> value;
    if (import.kind == kFunction) {
      v8::Local<v8::Function> function;
      if (!ImportedFunction(self, context, import.function).ToLocal(&function)) return {};
      value = function;
    } else if (!Sized(self, context, import.kind == kMemory ? self->new_memory : self->new_table, import)
                    .ToLocal(&value)) {
      return {};
    }
    if (import.kind == kMemory) vm->memory.Reset(isolate, value.As<v8::WasmMemoryObject>());
    v8::Local<v8::String> module_name = String(isolate, import.module);
    v8::Local<v8::Object> module;
    if (all->HasOwnProperty(context, module_name).FromMaybe(false)) {
      module = all->Get(context, module_name).ToLocalChecked().As<v8::Object>();
    } else {
      module = v8::Object::New(isolate, v8::Null(isolate), nullptr, nullptr, 0);
      if (all->CreateDataProperty(context, module_name, module).IsNothing()) return {};
    }
    if (module->CreateDataProperty(context, String(isolate, import.name), value).IsNothing()) return {};
  }
  return all;
}

}  // namespace

extern "C" {

// The version of the library, and that of the headers. If they differ, nothing else here may be called.
const char* sandgate_v8_version(uint32_t* major, uint32_t* minor) {
  *major = V8_MAJOR_VERSION;
  *minor = V8_MINOR_VERSION;
  return v8::V8::GetVersion();
}

// Starts V8 in this process; again does nothing.
void sandgate_v8_start() {
  static std::once_flag once;
  std::call_once(once, [] {
    // The handler of traps stays off: signals are Wasmtime's. The stack is in KiB.
    v8::V8::SetFlagsFromString("--stack-trace-limit=20");
    v8::V8::SetFlagsFromString("--stack-size=512");
    // Lives as long as the process: its threads cannot be ended in an order that suits everyone.
    platform = v8::platform::NewDefaultPlatform().release();
    v8::V8::InitializePlatform(platform);
    v8::V8::Initialize();
  });
}

// An isolate for this thread, entered. It stays on the thread and is deleted on it. Null if it cannot be made.
Isolate* sandgate_v8_isolate_new(bool (*on_interrupt)(void*), void* owner) {
  v8::Isolate::CreateParams params;
  params.array_buffer_allocator_shared.reset(v8::ArrayBuffer::Allocator::NewDefaultAllocator());
  v8::Isolate* isolate = v8::Isolate::New(params);
  if (isolate == nullptr) return nullptr;
  isolate->Enter();
  auto* self = new Isolate;
  self->isolate = isolate;
  self->on_interrupt = on_interrupt;
  self->owner = owner;
  isolate->SetData(0, self);
  isolate->SetMicrotasksPolicy(v8::MicrotasksPolicy::kExplicit);
  isolate->SetCaptureStackTraceForUncaughtExceptions(true, kMaxFrames);
  v8::HandleScope scope(isolate);
  v8::Local<v8::Context> context = v8::Context::New(isolate);
  context->Enter();
  self->context.Reset(isolate, context);
  v8::Local<v8::Value> wasm = Property(context, context->Global(), "WebAssembly");
  self->new_instance.Reset(isolate, Property(context, wasm, "Instance").As<v8::Function>());
  self->new_memory.Reset(isolate, Property(context, wasm, "Memory").As<v8::Function>());
  self->new_table.Reset(isolate, Property(context, wasm, "Table").As<v8::Function>());
  v8::Local<v8::Script> script = v8::Script::Compile(context, String(isolate, "(function(){})")).ToLocalChecked();
  self->nothing.Reset(isolate, script->Run(context).ToLocalChecked().As<v8::Function>());
  return self;
}

void sandgate_v8_isolate_delete(Isolate* self) {
  v8::Isolate* isolate = self->isolate;
  {
    v8::HandleScope scope(isolate);
    self->context.Get(isolate)->Exit();
  }
  delete self;
  isolate->Exit();
  v8::platform::NotifyIsolateShutdown(platform, isolate);
  isolate->Dispose();
}

// Has the isolate call `on_interrupt` when its guest next looks. Any thread may ask.
void sandgate_v8_isolate_interrupt(Isolate* self) {
  self->isolate->RequestInterrupt(
      [](v8::Isolate* isolate, void* data) {
        auto* self = static_cast<Isolate*>(data);
        v8::HandleScope scope(isolate);
        if (self->on_interrupt(self->owner) && !self->stopping) Stop(self);
      },
      self);
}

// Frees what dropped instances held.
void sandgate_v8_isolate_collect(Isolate* self) { self->isolate->LowMemoryNotification(); }

// Compiles; null and a failure if V8 refuses the module.
Module* sandgate_v8_compile(Isolate* self, const uint8_t* code, size_t length, Failure* failure) {
  v8::HandleScope scope(self->isolate);
  v8::TryCatch caught(self->isolate);
  v8::Local<v8::WasmModuleObject> module;
  if (!v8::WasmModuleObject::Compile(self->isolate, {code, length}).ToLocal(&module)) {
    Describe(self, caught, failure);
    return nullptr;
  }
  auto* compiled = new Module{module->GetCompiledModule()};
  while (v8::platform::PumpMessageLoop(platform, self->isolate)) {
  }
  return compiled;
}

// Any thread may delete a module, and make instances of it.
void sandgate_v8_module_delete(Module* module) { delete module; }

const uint8_t* sandgate_v8_module_code(Module* module, size_t* length) {
  v8::MemorySpan<const uint8_t> code = module->compiled.GetWireBytesRef();
  *length = code.size();
  return code.data();
}

// An instance of a module without a start section, so no guest code runs. Null and a failure if there is no memory for it.
Vm* sandgate_v8_vm_new(Isolate* self, Module* module, const Import* imports, size_t import_count, const Name* exports,
                       size_t export_count, void* host, Failure* failure) {
  v8::Isolate* isolate = self->isolate;
  v8::HandleScope scope(isolate);
  v8::TryCatch caught(isolate);
  v8::Local<v8::Context> context = self->context.Get(isolate);
  auto vm = std::make_unique<Vm>();
  vm->isolate = self;
  vm->host = host;
  v8::Local<v8::WasmModuleObject> code;
  v8::Local<v8::Object> objects, instance;
  bool made = v8::WasmModuleObject::FromCompiledModule(isolate, module->compiled).ToLocal(&code) &&
              Imports(vm.get(), context, imports, import_count).ToLocal(&objects);
  if (made) {
    v8::Local<v8::Value> arguments[] = {code, objects};
    made = self->new_instance.Get(isolate)->NewInstance(context, 2, arguments).ToLocal(&instance);
  }
  if (!made) {
    Describe(self, caught, failure);
    return nullptr;
  }
  v8::Local<v8::Value> exported = Property(context, instance, "exports");
  for (size_t index = 0; index < export_count; ++index) {
    v8::Local<v8::Value> value =
        exported.As<v8::Object>()->Get(context, String(isolate, exports[index])).ToLocalChecked();
    vm->exports.emplace_back();
    if (value->IsFunction()) vm->exports.back().Reset(isolate, value.As<v8::Function>());
  }
  while (v8::platform::PumpMessageLoop(platform, isolate)) {
  }
  return vm.release();
}

void sandgate_v8_vm_delete(Vm* vm) { delete vm; }

// Where the linear memory is now and how long it is. Good until guest code runs.
size_t sandgate_v8_vm_memory(Vm* vm, uint8_t** base) {
  if (vm->memory.IsEmpty()) return 0;
  v8::HandleScope scope(vm->isolate->isolate);
  v8::Local<v8::ArrayBuffer> buffer = vm->memory.Get(vm->isolate->isolate)->Buffer();
  *base = static_cast<uint8_t*>(buffer->Data());
  return buffer->ByteLength();
}

// Calls an export from outside. False and a failure if the guest did not return.
bool sandgate_v8_vm_call(Vm* vm, size_t index, const uint32_t* words, size_t count, uint32_t* result, Failure* failure) {
  Isolate* self = vm->isolate;
  v8::Isolate* isolate = self->isolate;
  v8::HandleScope scope(isolate);
  v8::TryCatch caught(isolate);
  v8::Local<v8::Value> arguments[kMaxWords];
  for (size_t word = 0; word < count; ++word) {
    arguments[word] = v8::Integer::New(isolate, static_cast<int32_t>(words[word]));
  }
  Vm* outer = self->running;
  self->running = vm;
  v8::Local<v8::Value> value;
  bool returned = vm->exports[index]
                      .Get(isolate)
                      ->Call(self->context.Get(isolate), v8::Undefined(isolate), static_cast<int>(count), arguments)
                      .ToLocal(&value);
  self->running = outer;
  if (returned && !self->stopping) {
    *result = value->IsInt32() ? static_cast<uint32_t>(value.As<v8::Int32>()->Value()) : 0;
    return true;
  }
  Describe(self, caught, failure);
  if (self->stopping) Resume(self);
  return false;
}

// Calls an export of one word within a hostcall. False if the guest did not return; then the hostcall must not either.
bool sandgate_v8_vm_call_within(Vm* vm, size_t index, uint32_t word, uint32_t* result) {
  v8::Isolate* isolate = vm->isolate->isolate;
  v8::HandleScope scope(isolate);
  v8::Local<v8::Value> argument = v8::Integer::New(isolate, static_cast<int32_t>(word));
  v8::Local<v8::Value> value;
  if (!vm->exports[index]
           .Get(isolate)
           ->Call(vm->isolate->context.Get(isolate), v8::Undefined(isolate), 1, &argument)
           .ToLocal(&value)) {
    vm->isolate->unwinding = true;
    return false;
  }
  *result = value->IsInt32() ? static_cast<uint32_t>(value.As<v8::Int32>()->Value()) : 0;
  return true;
}

}  // extern "C"
