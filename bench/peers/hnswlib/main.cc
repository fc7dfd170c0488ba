// hnswlib on the bench's vectors: builds an index, then searches with growing ef until the recall is reached. One thread, as ours.
//   main VECTORS QUERIES NEAREST COUNT QUERY_COUNT DIMENSION LINKS BUILD_WIDTH RECALL
// Files: 32-bit floats row by row; NEAREST: the ten true neighbours of each query as 32-bit numbers. Prints: build seconds, ef, microseconds of the median search, recall.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>
#include "hnswlib/hnswlib.h"

template <typename T> static std::vector<T> read(const char *path, size_t count) {
  std::vector<T> values(count);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char *>(values.data()), count * sizeof(T));
  if (!file) { std::fprintf(stderr, "%s is too short\n", path); std::exit(1); }
  return values;
}

static double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

int main(int, char **a) {
  const size_t n = std::atoll(a[4]), m = std::atoll(a[5]), d = std::atoll(a[6]), k = 10;
  const auto vectors = read<float>(a[1], n * d), queries = read<float>(a[2], m * d);
  const auto nearest = read<int>(a[3], m * k);
  hnswlib::InnerProductSpace space(d);
  hnswlib::HierarchicalNSW<float> index(&space, n, std::atoi(a[7]), std::atoi(a[8]));
  const double began = now();
  for (size_t i = 0; i < n; i++) index.addPoint(vectors.data() + i * d, i);
  const double built = now() - began;
  for (size_t ef : {10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024}) {
    index.setEf(ef);
    std::vector<double> times;
    size_t right = 0;
    for (int round = 0; round < 3; round++) {
      right = 0;
      for (size_t q = 0; q < m; q++) {
        const double start = now();
        auto found = index.searchKnn(queries.data() + q * d, k);
        times.push_back(now() - start);
        for (; !found.empty(); found.pop())
          right += std::find(nearest.begin() + q * k, nearest.begin() + (q + 1) * k, static_cast<int>(found.top().second)) != nearest.begin() + (q + 1) * k;
      }
    }
    std::sort(times.begin(), times.end());
    const double recall = right / static_cast<double>(m * k);
    if (recall >= std::atof(a[9]) || ef == 1024) {
      std::printf("%.3f %zu %.3f %.4f\n", built, ef, times[times.size() / 2] * 1e6, recall);
      return 0;
    }
  }
}
