// An adapter around a loader of AWQ files: adapter OP INPUT OUTDIR, or adapter serve (protocol
// awqc/1, one-shot and serve).
//
// cmake -B build -DAWQ_CORE=DIR       DIR is the folder of the C++ core
// cmake --build build
// awq-conformance doctor -- build/adapter   tells what is wrong with it
// awq-conformance run -- build/adapter      certifies the loader
#include <awq/awq.hpp>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <regex>
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
// What hello says; as the text of any other answer it means nothing.
const std::string kHello = "proto=1 name=my-loader ops=serve,dequant dtypes=f32 layouts=nk";
const std::map<int, std::string> kStatus = {{0, "ok"}, {65, "reject"}, {69, "unsupported"}};
const std::regex kRequest("@awq\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)");  // ID, OP, INPUT, OUTDIR

int Answer(const std::string& op, const std::string& path, const std::string& outdir) {
  if (op != "dequant") return op == "hello" ? 0 : 69;
  std::vector<Weight> weights;
  const int status = Load(path, weights);
  for (const Weight& w : weights) {
    const std::string name = outdir + "/" + std::to_string(w.number) + ".W.nk.f32.";
    std::ofstream file(name + w.shape + ".bin", std::ios::binary);
    file.write(reinterpret_cast<const char*>(w.values.data()), 4 * w.values.size());
    if (!file.flush()) std::exit(74);  // cannot be written: no verdict on the input
  }
  return status;
}

int main(int argc, char** argv) {
  const std::string op = argc > 1 ? argv[1] : "", outdir = argc == 4 ? argv[3] : "";
  if (op == "hello") return std::ofstream(outdir + "/hello.txt") << kHello ? 0 : 74;
  if (op != "serve") return argc == 4 ? Answer(op, argv[2], outdir) : 69;
  std::smatch request;
  for (std::string line; std::getline(std::cin, line);) {
    if (!std::regex_match(line, request, kRequest)) continue;
    const std::string status = kStatus.at(Answer(request[2], request[3], request[4]));
    std::cout << "@awq\t" << request[1] << "\t" << status << "\t\t" << kHello << std::endl;
  }
}
