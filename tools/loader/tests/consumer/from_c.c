/* from_c FILE: prints every tensor through the C interface; the exit status is 0, or 1 with the
 * error. */
#include <stdio.h>
#include <stdlib.h>

#include "awq/awq.h"

int main(int argc, char** argv) {
  awq_file* file = NULL;
  awq_error error;
  if (argc != 2 || awq_open(argv[1], AWQ_ALL, AWQ_MMAP, &file, &error) != AWQ_OK) {
    fprintf(stderr, "%s\n", argc == 2 ? error.message : "usage: from_c FILE");
    return 1;
  }
  for (uint64_t i = 0; i < awq_tensor_count(file); ++i) {
    awq_tensor t;
    if (awq_tensor_info(file, i, &t, &error) != AWQ_OK) return 1;
    if (t.dtype == AWQ_U4) {
      const size_t count = (size_t)(t.rows * t.in_features);
      float* weights = malloc(count * sizeof *weights);
      if (!weights || awq_dequantize(file, i, 0, t.rows, AWQ_F32, weights, count * sizeof *weights,
                                     &error) != AWQ_OK) {
        return 1;
      }
      printf("%s %.9g %.9g\n", t.name, (double)weights[0], (double)weights[count - 1]);
      free(weights);
    }
  }
  awq_close(file);
  return 0;
}
