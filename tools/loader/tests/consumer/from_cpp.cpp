// from_cpp FILE TENSOR: prints the first and the last weight of a tensor.
#include <awq/awq.hpp>
#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const awq::Matrix w = awq::LoadAWQWeight(argv[1], argv[2]);
  const float* values = w.data<float>();
  std::printf("%s %.9g %.9g\n", argv[2], double{values[0]}, double{values[w.bytes() / 4 - 1]});
}
