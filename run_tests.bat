@echo off
rem Runs the tests with the same arguments as pytest. The first start creates the environment.
setlocal
cd /d "%~dp0"
set "python=python"
where /q py && set "python=py -3"
%python% "%~dp0launch.py" --with train --with dev -m pytest -n auto --dist loadfile --no-loadscope-reorder %*
set "code=%errorlevel%"
if not "%code%"=="0" if "%~1"=="" pause
exit /b %code%
