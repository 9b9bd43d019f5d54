// An adapter around a loader of AWQ files: adapter OP INPUT OUTDIR (protocol awqc/1, one-shot).
//
// cmake -B build -DAWQ_CORE=DIR       DIR is the folder of the C++ core
// cmake --build build
// awq-conformance doctor -- build/adapter   tells what is wrong with it
// awq-conformance run -- build/adapter      certifies the loader
#include <awq/awq.hpp>
#include <fstream>
#include <string>
#include <vector>

// >>> YOUR LOADER, in place of awq. It verifies the whole file, appends W of each quantised tensor
// and returns 0; or it returns 65 for a malformed file, 69 for what it does not support.
struct Weight {
  std::size_t number;         // place of the tensor in the index, from 0
  std::string shape;          // "NxK", experts in front
  std::vector<float> values;  // row-major
};

int Load(const std::string& path, std::vector<Weight>& weights) {
  try {
    const awq::File file(path, {awq::Verify::All});
    for (std::size_t i = 0; i < file.size(); ++i) {
      const awq::Tensor t = file.tensor(i);
      if (!t.quantized()) continue;
      Weight w{i, std::to_string(t.dims[0]), std::vector<float>(t.elements())};
      for (int d = 1; d < t.ndim; ++d) w.shape += "x" + std::to_string(t.dims[d]);
      file.Dequantize(i, {0, t.elements()}, awq::Dtype::F32, w.values.data(),
                      sizeof(float) * w.values.size());
      weights.push_back(std::move(w));
    }
    return 0;
  } catch (const awq::Error& error) {
    return error.code() == awq::Code::UNSUPPORTED ? 69 : 65;
  }
}

// <<< From here on it is the protocol.
int main(int argc, char** argv) {
  if (argc != 4 || std::string(argv[1]) != "dequant") return 69;
  std::vector<Weight> weights;
  const int status = Load(argv[2], weights);
  for (const Weight& w : weights) {
    const std::string name = std::string(argv[3]) + "/" + std::to_string(w.number) + ".W.nk.f32.";
    std::ofstream file(name + w.shape + ".bin", std::ios::binary);
    file.write(reinterpret_cast<const char*>(w.values.data()), 4 * w.values.size());
    if (!file.flush()) return 74;  // cannot be written: no verdict on the input
  }
  return status;
}
