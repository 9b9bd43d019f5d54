// >>> YOUR LOADER, in place of this file. `load` verifies the whole file and returns W of each quantised tensor; or
// Err(65) for a malformed file, Err(69) for what it does not support.
//
// This one calls the C interface of the C++ core, awq/awq.h.
use std::ffi::{c_char, c_int, c_void, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null_mut;

pub struct Weight {
    pub number: u64,      // place of the tensor in the index, from 0
    pub shape: String,    // "NxK", experts in front
    pub values: Vec<f32>, // row-major
}

pub fn load(path: &Path) -> Result<Vec<Weight>, i32> {
    let file = File::open(path)?;
    let mut weights = Vec::new();
    for number in 0..file.count() {
        let tensor = file.tensor(number)?;
        if tensor.dtype == U4 {
            let shape: Vec<String> = tensor.dims[..tensor.ndim as usize]
                .iter()
                .map(u32::to_string)
                .collect();
            weights.push(Weight {
                number,
                shape: shape.join("x"),
                values: file.dequantize(&tensor)?,
            });
        }
    }
    Ok(weights)
}

const OK: c_int = 0;
const UNSUPPORTED: c_int = 30;
const ALL: c_int = 2; // verify every tensor on opening
const MMAP: c_int = 0;
const F32: c_int = 12;
const U4: i32 = 16;

enum Handle {}

#[repr(C)]
struct Tensor {
    number: u64,
    name: [c_char; 256],
    dtype: i32,
    scale_dtype: i32,
    zero_dtype: i32,
    ndim: u32,
    dims: [u32; 8],
    rows: u64,
    in_features: u64,
    group_size: u64,
    groups: u64,
    stored_bytes: u64,
}

type Error = *mut c_void; // awq_error, or null: what went wrong is not asked for here, only that it did

#[rustfmt::skip] // as in awq.h
extern "C" {
    fn awq_open(path: *const c_char, verify: c_int, mode: c_int, file: *mut *mut Handle, error: Error) -> c_int;
    fn awq_close(file: *mut Handle);
    fn awq_tensor_count(file: *const Handle) -> u64;
    fn awq_tensor_info(file: *const Handle, number: u64, tensor: *mut Tensor, error: Error) -> c_int;
    fn awq_dequantize(file: *const Handle, number: u64, first_row: u64, rows: u64, dtype: c_int,
                      out: *mut f32, out_bytes: usize, error: Error) -> c_int;
}

fn checked(code: c_int) -> Result<(), i32> {
    match code {
        OK => Ok(()),
        UNSUPPORTED => Err(69),
        1.. => Err(65),
        _ => Err(70), // not about the file: no verdict on it
    }
}

struct File(*mut Handle);

impl File {
    fn open(path: &Path) -> Result<File, i32> {
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| 65)?;
        let mut file = null_mut();
        // SAFETY: `path` is terminated, and after success `file` is an open file.
        checked(unsafe { awq_open(path.as_ptr(), ALL, MMAP, &mut file, null_mut()) })?;
        Ok(File(file))
    }

    fn count(&self) -> u64 {
        // SAFETY: a file is open as long as `self` lives; here and below.
        unsafe { awq_tensor_count(self.0) }
    }

    fn tensor(&self, number: u64) -> Result<Tensor, i32> {
        // SAFETY: all fields are numbers, for which zero is a value.
        let mut tensor = unsafe { std::mem::zeroed() };
        checked(unsafe { awq_tensor_info(self.0, number, &mut tensor, null_mut()) })?;
        Ok(tensor)
    }

    fn dequantize(&self, t: &Tensor) -> Result<Vec<f32>, i32> {
        let mut values = vec![0f32; (t.rows * t.in_features) as usize];
        let (out, size) = (values.as_mut_ptr(), 4 * values.len());
        // SAFETY: `out` has room for `size` bytes.
        checked(unsafe {
            awq_dequantize(self.0, t.number, 0, t.rows, F32, out, size, null_mut())
        })?;
        Ok(values)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: nothing borrowed from the file outlives it.
        unsafe { awq_close(self.0) }
    }
}
// <<< The protocol is in main.rs.
