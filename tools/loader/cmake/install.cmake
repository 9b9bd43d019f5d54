# What `cmake --install` lays out, so that find_package(awq) finds it.
include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/awq)

install(TARGETS awq-loader)
install(TARGETS awq EXPORT awqTargets)
install(DIRECTORY include/awq DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT awqTargets NAMESPACE awq:: DESTINATION ${package})

if(BUILD_SHARED_LIBS) # a shared library brings its dependencies itself
  set(AWQ_DEPENDENCIES "")
else()
  set(AWQ_DEPENDENCIES "find_dependency(Threads)\n")
  if(AWQ_OPENSSL)
    string(APPEND AWQ_DEPENDENCIES "find_dependency(OpenSSL 1.1 COMPONENTS Crypto)\n")
  endif()
endif()
configure_package_config_file(cmake/awqConfig.cmake.in awqConfig.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(awqConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/awqConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/awqConfigVersion.cmake
  DESTINATION ${package})
