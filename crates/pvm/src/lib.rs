//! The wasm_2_0_0 PVM: durable storage, host functions, buffers, tick states, versions, fast execution.
