@echo off
rem Starts the program with the same arguments. launch.py creates the environment at the first start.
setlocal
set "python=python"
where /q py && set "python=py -3"
%python% "%~dp0launch.py" %*
set "code=%errorlevel%"
rem Without arguments (double-click), keep the error message on the screen.
if not "%code%"=="0" if "%~1"=="" pause
exit /b %code%
