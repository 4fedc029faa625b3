@echo off
rem Starts the program with the same arguments; launch.py makes the environment on first use.
setlocal
set "python=python"
where /q py && set "python=py -3"
%python% "%~dp0launch.py" %*
set "code=%errorlevel%"
rem A double-click gives no arguments: then the reason stays on the screen.
if not "%code%"=="0" if "%~1"=="" pause
exit /b %code%
