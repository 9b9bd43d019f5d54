# Installs the library into an empty place, builds the consumer against it and runs both programs on FILE.
# -D BUILD=(of the library) WORK= SOURCE= SHARED= FILE= TENSOR=
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(status)
    message(FATAL_ERROR "${ARGV}\n${output}${errors}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${WORK})
if(SHARED)
  run(${CMAKE_COMMAND} -S ${SOURCE}/../.. -B ${WORK}/library -G ${GENERATOR} -DCMAKE_MAKE_PROGRAM=${PROGRAM}
      -DCMAKE_CXX_COMPILER=${CXX} -DBUILD_SHARED_LIBS=ON -DBUILD_TESTING=OFF)
  run(${CMAKE_COMMAND} --build ${WORK}/library)
  set(BUILD ${WORK}/library)
endif()
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
run(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/build -G ${GENERATOR} -DCMAKE_MAKE_PROGRAM=${PROGRAM}
    -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_PREFIX_PATH=${WORK}/prefix)
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/from_cpp ${FILE} ${TENSOR})
set(expected "${output}")
run(${WORK}/build/from_c ${FILE})
string(FIND "${output}" "${expected}" found)
if(found EQUAL -1)
  message(FATAL_ERROR "C and C++ differ on ${TENSOR}:\n${output}against\n${expected}")
endif()
