# cmake --install, and cpack for a Debian package: the program, its manual pages, what shells complete, docs and licences.
include(GNUInstallDirs)
set(extras ${CMAKE_BINARY_DIR}/extras)
add_custom_command(OUTPUT ${extras}/assay.fish
  COMMAND ${CMAKE_COMMAND} -E make_directory ${extras}/man
  COMMAND assay manual --write ${extras}/man --force
  COMMAND assay completion bash > ${extras}/assay.bash
  COMMAND assay completion zsh > ${extras}/assay.zsh
  COMMAND assay completion fish > ${extras}/assay.fish
  DEPENDS assay COMMENT "Writing manual pages and completions" VERBATIM)
add_custom_target(extras ALL DEPENDS ${extras}/assay.fish)

install(TARGETS assay RUNTIME)
install(DIRECTORY ${extras}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${extras}/assay.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME assay)
install(FILES ${extras}/assay.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions RENAME _assay)
install(FILES ${extras}/assay.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES README.md SECURITY.md NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs)
install(DIRECTORY examples/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "the Assay authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "whether a quantized language model still does your task")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)  # needs dpkg-dev
include(CPack)
