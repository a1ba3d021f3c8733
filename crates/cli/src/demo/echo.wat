;; Echo: every external message is copied to the outbox (without its 0x01 tag); an internal
;; transfer whose payload is a bytes literal is copied too. Counts both in the durable storage.
(module
  (import "smart_rollup_core" "read_input" (func $read_input (param i32 i32 i32) (result i32)))
  (import "smart_rollup_core" "write_output" (func $write_output (param i32 i32) (result i32)))
  (import "smart_rollup_core" "store_read" (func $store_read (param i32 i32 i32 i32 i32) (result i32)))
  (import "smart_rollup_core" "store_write" (func $store_write (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "mem") 1)
  (data (i32.const 16) "/echo/external")
  (data (i32.const 32) "/echo/internal")
  (data (i32.const 48) "/echo/last_result")
  (func $incr (param $key i32)
    (i64.store (i32.const 80) (i64.const 0))
    (drop (call $store_read (local.get $key) (i32.const 14) (i32.const 0) (i32.const 80) (i32.const 8)))
    (i64.store (i32.const 80) (i64.add (i64.load (i32.const 80)) (i64.const 1)))
    (drop (call $store_write (local.get $key) (i32.const 14) (i32.const 0) (i32.const 80) (i32.const 8))))
  (func $out (param $src i32) (param $len i32)
    (i32.store (i32.const 88) (call $write_output (local.get $src) (local.get $len)))
    (drop (call $store_write (i32.const 48) (i32.const 17) (i32.const 0) (i32.const 88) (i32.const 4))))
  (func $be32 (param $a i32) (result i32)
    (i32.or (i32.or (i32.shl (i32.load8_u (local.get $a)) (i32.const 24))
                    (i32.shl (i32.load8_u offset=1 (local.get $a)) (i32.const 16)))
            (i32.or (i32.shl (i32.load8_u offset=2 (local.get $a)) (i32.const 8))
                    (i32.load8_u offset=3 (local.get $a)))))
  (func (export "kernel_run") (local $n i32)
    (block $done
      (loop $next
        (local.set $n (call $read_input (i32.const 100) (i32.const 128) (i32.const 4096)))
        (br_if $done (i32.le_s (local.get $n) (i32.const 0)))
        (if (i32.eq (i32.load8_u (i32.const 128)) (i32.const 1))
          (then
            (call $out (i32.const 129) (i32.sub (local.get $n) (i32.const 1)))
            (call $incr (i32.const 16)))
          (else
            (if (i32.and (i32.eqz (i32.load16_u (i32.const 128)))
                         (i32.eq (i32.load8_u (i32.const 130)) (i32.const 10)))
              (then
                (call $out (i32.const 135) (call $be32 (i32.const 131)))
                (call $incr (i32.const 32))))))
        (br $next)))))
