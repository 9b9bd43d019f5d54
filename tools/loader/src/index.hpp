// Stage I: the records of INDEX, the tiling of DATA, the size of DIGEST, META (spec: container).
#ifndef AWQ_SRC_INDEX_HPP
#define AWQ_SRC_INDEX_HPP

#include "container.hpp"

namespace awq {

/// The name of a record whose place in STRINGS has been checked.
std::string_view NameOf(const Container& container, const awq_record& record);

/// Performs stage I; throws the Error of the first check that fails, in the normative order.
/// Returns for each tensor the number of its first row of DIGEST.
std::vector<std::uint32_t> CheckIndex(const Container& container);

}  // namespace awq

#endif
